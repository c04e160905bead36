"""Seeded random work on one loop: nothing lost, nothing twice, nothing left."""

import gc
import os
import random
import socket
import threading

import pytest

import pyasync_hw


class Work:
    """Schedules, cancels, reads, fails and collects at random; keeps the books."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.loop = pyasync_hw.new_event_loop()
        self.loop.set_exception_handler(self.on_error)
        self.expected, self.seen = set(), []
        self.failed = self.raised = 0
        self.number = 0
        self.handles = []
        self.pairs = []
        self.left = 3000

    def on_error(self, loop, context):
        assert isinstance(context["exception"], ZeroDivisionError)
        self.failed += 1

    def callback(self, number):
        self.seen.append(number)
        self.step()

    def schedule(self):
        self.number += 1
        number = self.number
        kind = self.random.randrange(4)
        if kind == 0:
            handle = self.loop.call_soon(self.callback, number)
        elif kind == 1:
            handle = self.loop.call_later(self.random.random() * 0.001, self.callback, number)
        elif kind == 2:
            handle = self.loop.call_at(
                self.loop.time() - self.random.random(), self.callback, number
            )
        else:
            handle = self.loop.call_soon_threadsafe(self.callback, number)
        self.expected.add(number)
        if self.random.random() < 0.3:
            self.handles.append((handle, number))

    def cancel(self):
        if self.handles:
            handle, number = self.handles.pop(self.random.randrange(len(self.handles)))
            if number not in self.seen:
                self.expected.discard(number)
            handle.cancel()

    def fail(self):
        def divide():
            self.step()
            return 1 / 0

        self.raised += 1
        self.loop.call_soon(divide)

    def open_pair(self):
        a, b = socket.socketpair()
        a.setblocking(False)
        self.loop.add_reader(a, self.readable, a, b)
        self.pairs.append((a, b))
        b.send(b"x")

    def readable(self, a, b):
        a.recv(1)
        if self.random.random() < 0.5:
            b.send(b"y")
        else:
            self.close_pair(a, b)
        self.step()

    def close_pair(self, a, b):
        self.loop.remove_reader(a)
        self.pairs.remove((a, b))
        a.close()
        b.close()

    def step(self):
        for _ in range(self.random.randrange(1, 4)):
            if self.left > 0:
                self.left -= 1
                self.random.choice(
                    [self.schedule, self.schedule, self.cancel, self.fail, self.open_pair]
                )()
        if self.random.random() < 0.01:
            gc.collect()

    def drive(self):
        """Step until all work is handed out, then stop when all of it came back."""
        self.step()
        if self.left > 0:
            self.loop.call_soon(self.drive)
        elif self.pairs or self.expected - set(self.seen):
            for a, b in list(self.pairs):
                self.close_pair(a, b)
            self.loop.call_later(0.001, self.drive)
        else:
            self.loop.call_soon(self.loop.stop)


def run(seed):
    work = Work(seed)
    posted = []

    def post():
        for _ in range(500):
            posted.append(work.loop.call_soon_threadsafe(int))

    thread = threading.Thread(target=post)
    work.loop.call_soon(work.drive)
    work.loop.call_soon(thread.start)
    work.loop.run_forever()
    thread.join()
    assert len(work.seen) == len(set(work.seen)), "a callback ran twice"
    assert work.expected == set(work.seen), "a callback was lost, or ran though cancelled"
    assert work.failed == work.raised
    work.loop.close()


@pytest.mark.parametrize("seed", range(5))
def test_random_work(seed):
    gc.collect()
    before = pyasync_hw._core._live()
    descriptors = len(os.listdir("/proc/self/fd"))
    run(seed)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert pyasync_hw._core._live() == before


def test_close_with_everything_pending_leaves_nothing():
    gc.collect()
    before = pyasync_hw._core._live()
    loop = pyasync_hw.new_event_loop()
    for number in range(10_000):
        loop.call_soon(print, number)
        loop.call_later(number, print, number, loop)
    a, b = socket.socketpair()
    loop.add_reader(a, print, loop)
    loop.add_writer(a, print, loop)
    loop.close()
    a.close()
    b.close()
    del loop
    gc.collect()
    assert pyasync_hw._core._live() == before


def test_ten_thousand_timers_cancelled_in_any_order():
    loop = pyasync_hw.new_event_loop(pyasync_hw.VirtualClock())
    shuffled = random.Random(1)
    seen = []
    handles = [
        loop.call_at(shuffled.random() * 100, seen.append, number) for number in range(10_000)
    ]
    keep = set(shuffled.sample(range(10_000), 1000))
    for number in shuffled.sample(range(10_000), 10_000):
        if number not in keep:
            handles[number].cancel()
    assert loop.stats()["timers"] == 1000
    loop.call_at(101, loop.stop)
    loop.run_forever()
    assert set(seen) == keep
    assert [handles[number].when() for number in seen] == sorted(
        handles[number].when() for number in keep
    )
    loop.close()
