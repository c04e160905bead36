"""A callback for GPIO.add_event_detect(), and what a call raises."""

import threading

import pytest


class Calls:
    """Remembers its calls, and lets a test wait for them."""

    def __init__(self):
        self.channels = []
        self._came = threading.Semaphore(0)

    def __call__(self, channel):
        self.channels.append(channel)
        self._came.release()

    def wait(self, count=1):
        for _ in range(count):
            assert self._came.acquire(timeout=30)
        return self.channels


def refused(call):
    """The exception of a call that fails, as its class and message."""
    with pytest.raises(Exception) as caught:
        call()
    return type(caught.value), str(caught.value)
