"""RPi.GPIO's callbacks: how many there are of edges that come while one runs."""

import threading

import pytest
from gpio_calls import Calls

from pyasync_hw.compat.RPi import GPIO


@pytest.mark.parametrize(("edges", "calls"), [(15, 15), (16, 16), (40, 16)])
def test_edges_that_come_while_a_callback_runs(gpio_board, edges, calls):
    """Each has its call, as far as the kernel keeps them."""
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    wire = gpio_board.line(17)
    begun, go, last = threading.Event(), threading.Event(), Calls()

    def slow(channel):
        begun.set()
        go.wait()
        last(channel)

    GPIO.add_event_detect(17, GPIO.BOTH, callback=slow)
    wire.drive(0)
    begun.wait()
    for count in range(edges):
        wire.drive(1 - count % 2)
    go.set()
    last.wait(1 + calls)
    wire.drive(1 - wire.value)
    last.wait()
    assert len(last.channels) == 1 + calls + 1


def test_edges_of_several_channels_come_in_their_order(gpio_board):
    """Those that came while a callback ran, some of them one after the other on a channel."""
    GPIO.setmode(GPIO.BCM)
    GPIO.setup([22, 27], GPIO.IN)
    told, busy, go_on, done = [], threading.Event(), threading.Event(), threading.Event()
    edges = [22, 27, 27, 22, 22, 22, 27, 22]

    def callback(channel):
        told.append(channel)
        if len(told) == 1:
            busy.set()
            assert go_on.wait(30)
        if len(told) == len(edges):
            done.set()

    levels = {22: 0, 27: 0}
    for channel in levels:
        GPIO.add_event_detect(channel, GPIO.BOTH, callback=callback)
    for number, channel in enumerate(edges):
        levels[channel] ^= 1
        gpio_board.line(channel).drive(levels[channel])
        if number == 0:
            assert busy.wait(30)
    go_on.set()
    assert done.wait(30)
    assert told == edges
