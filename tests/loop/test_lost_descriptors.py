"""Files that are closed while they are watched and a duplicate of them lives.

epoll goes on to report them, for ever.  Time on a virtual clock passes only where a
loop has nothing to do, so one that spins would never come to its timers here.
"""

import errno
import os
import resource
import socket
import subprocess

import pytest

import pyasync_hw

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def loop():
    loop = pyasync_hw.new_event_loop(clock=pyasync_hw.VirtualClock())
    yield loop
    loop.close()


class Lost:
    """A pipe with something to read, whose reading end is closed and lives as `duplicate`."""

    def __init__(self):
        self.number, self.writer = os.pipe()
        self.duplicate = os.dup(self.number)
        os.write(self.writer, b"x")
        self.calls = 0

    def readable(self):
        self.calls += 1

    def close_number(self):
        os.close(self.number)

    def free(self):
        os.close(self.duplicate)
        os.close(self.writer)


@pytest.fixture
def lost():
    lost = Lost()
    yield lost
    lost.free()


def idle(loop):
    """Run until nothing is left to do."""
    loop.call_later(1, loop.stop)
    loop.run_forever()


def works(loop):
    a, b = socket.socketpair()
    with a, b:
        loop.add_reader(a, loop.stop)
        b.send(b"x")
        loop.run_forever()
        assert loop.remove_reader(a)


def test_removed_after_it_was_closed(loop, lost):
    loop.add_reader(lost.number, lost.readable)
    lost.close_number()
    assert loop.remove_reader(lost.number) is True
    idle(loop)
    assert lost.calls == 0
    works(loop)


def test_never_removed(loop, lost):
    loop.add_reader(lost.number, lost.readable)
    lost.close_number()
    idle(loop)
    assert lost.calls < 100
    assert loop.remove_reader(lost.number) is True
    assert loop.remove_reader(lost.number) is False
    works(loop)


def test_closed_after_it_has_been_read_many_times(loop, lost):
    def readable():
        lost.readable()
        if lost.calls == 1000:
            lost.close_number()

    loop.add_reader(lost.number, readable)
    idle(loop)
    assert 1000 <= lost.calls < 1100


def test_a_writer(loop):
    a, b = socket.socketpair()
    duplicate = a.dup()
    calls = []
    loop.add_writer(a, calls.append, 1)
    a.close()
    idle(loop)
    assert len(calls) < 100
    assert loop.remove_writer(a) is True
    works(loop)
    duplicate.close()
    b.close()


def test_one_of_reader_and_writer_is_removed_after_it_was_closed(loop):
    a, b = socket.socketpair()
    duplicate = a.dup()
    calls = []
    loop.add_reader(a, calls.append, "reader")
    loop.add_writer(a, calls.append, "writer")
    a.close()
    assert loop.remove_writer(a) is True
    b.send(b"x")
    idle(loop)
    assert calls == []
    assert loop.remove_reader(a) is True
    duplicate.close()
    b.close()


def test_another_file_has_the_number_and_is_watched(loop, lost):
    loop.add_reader(lost.number, lost.readable)
    a, b = socket.socketpair()
    os.dup2(a.fileno(), lost.number)  # closes it first
    seen = []
    loop.add_reader(lost.number, lambda: seen.append(a.recv(1)))
    b.send(b"y")
    idle(loop)
    assert seen == [b"y"]
    assert lost.calls == 0
    assert loop.remove_reader(lost.number) is True
    lost.close_number()
    a.close()
    b.close()


def test_another_file_has_the_number_and_only_the_other_direction(loop, lost):
    loop.add_reader(lost.number, lost.readable)
    a, b = socket.socketpair()
    os.dup2(a.fileno(), lost.number)
    written = []
    loop.add_writer(lost.number, lambda: (written.append(1), loop.remove_writer(lost.number)))
    b.send(b"y")  # not for the reader, which was another file's
    idle(loop)
    assert written == [1]
    assert lost.calls == 0
    assert loop.remove_reader(lost.number) is False
    lost.close_number()
    a.close()
    b.close()


def test_another_file_has_the_number_and_is_not_watched(loop, lost):
    loop.add_reader(lost.number, lost.readable)
    a, b = socket.socketpair()
    os.dup2(a.fileno(), lost.number)
    b.send(b"y")
    idle(loop)
    assert lost.calls < 100
    assert loop.remove_reader(lost.number) is True
    lost.close_number()
    a.close()
    b.close()


def test_the_file_gets_its_number_back(loop, lost):
    loop.add_reader(lost.number, lost.readable)
    lost.close_number()
    assert loop.remove_reader(lost.number)
    os.dup2(lost.duplicate, lost.number)
    loop.add_reader(lost.number, lambda: (lost.readable(), os.read(lost.number, 1)))
    idle(loop)
    assert lost.calls == 1
    assert loop.remove_reader(lost.number)
    lost.close_number()


def test_the_child_of_a_fork_keeps_it(loop):
    r, w = os.pipe()
    gate_r, gate_w = os.pipe()
    calls = []
    loop.add_reader(r, calls.append, 1)
    pid = os.fork()
    if pid == 0:
        os.close(gate_w)
        os.read(gate_r, 1)
        os._exit(0)
    os.close(r)
    os.write(w, b"x")
    idle(loop)
    assert len(calls) < 100
    assert loop.remove_reader(r) is True
    for fd in (gate_r, gate_w, w):
        os.close(fd)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_native_watch(loop):
    process = subprocess.Popen(["/bin/sleep", "600"])
    known = pyasync_hw._core.Child(process.pid)
    codes = []
    known.watch(loop, lambda code: (codes.append(code), loop.stop()))
    duplicate = os.dup(known.fileno())
    os.close(known.fileno())
    process.kill()
    loop.run_forever()
    assert len(codes) == 1
    idle(loop)
    works(loop)
    os.close(duplicate)
    process.wait()


def test_a_native_watch_takes_the_number_of_a_closed_reader(loop):
    """And the reader that nobody removed is not in its way."""
    a, b = socket.socketpair()
    number = a.fileno()
    loop.add_reader(a, print)
    a.close()
    process = subprocess.Popen(["/bin/sleep", "600"])
    known = pyasync_hw._core.Child(process.pid)
    assert known.fileno() == number
    codes = []
    known.watch(loop, lambda code: (codes.append(code), loop.stop()))
    process.kill()
    loop.run_forever()
    assert codes == [-9]
    process.wait()
    b.close()


def test_what_is_watched_besides_goes_on(loop, lost):
    pairs = [socket.socketpair() for _ in range(50)]
    seen = []
    loop.add_reader(lost.number, lost.readable)
    for a, _ in pairs:
        loop.add_reader(a, lambda a=a: seen.append(a.recv(1)))
        loop.add_writer(a, lambda a=a: (seen.append(b"w"), loop.remove_writer(a)))
    lost.close_number()
    loop.remove_reader(lost.number)
    idle(loop)
    for _, b in pairs:
        b.send(b"r")
    idle(loop)
    assert sorted(seen) == [b"r"] * 50 + [b"w"] * 50
    for a, b in pairs:
        assert loop.remove_reader(a)
        a.close()
        b.close()


def test_without_a_free_descriptor(loop, lost):
    loop.add_reader(lost.number, lost.readable)
    lost.close_number()
    loop.remove_reader(lost.number)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lost.number, hard))
    full = []
    try:
        with pytest.raises(OSError) as failed:
            while True:
                full.append(os.dup(0))
        assert failed.value.errno == errno.EMFILE
        idle(loop)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in full:
            os.close(fd)
    works(loop)
