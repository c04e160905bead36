"""Readers and writers: replacing, removing, closing behind the loop's back."""

import asyncio
import contextlib
import contextvars
import errno
import gc
import os
import resource
import socket

import pytest

import pyasync_hw


@pytest.fixture
def loop():
    loop = pyasync_hw.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def pair():
    a, b = socket.socketpair()
    a.setblocking(False)
    b.setblocking(False)
    yield a, b
    a.close()
    b.close()


def run_briefly(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_reader_and_writer_of_one_descriptor(loop, pair):
    a, b = pair
    seen = []
    loop.add_reader(a, lambda: seen.append(a.recv(10)))
    loop.add_writer(a, lambda: (seen.append("writable"), loop.remove_writer(a)))
    b.send(b"x")
    run_briefly(loop)
    assert sorted(map(str, seen)) == ["b'x'", "writable"]
    assert loop.remove_reader(a) is True
    assert loop.remove_reader(a) is False
    assert loop.remove_writer(a) is False
    assert loop.stats()["descriptors"] == 1


def test_a_second_reader_replaces_the_first(loop, pair):
    a, b = pair
    seen = []
    first = loop._add_reader(a.fileno(), seen.append, "first")
    loop.add_reader(a, lambda: (seen.append("second"), a.recv(1)))
    assert first.cancelled()
    b.send(b"x")
    run_briefly(loop)
    assert seen == ["second"]
    loop.remove_reader(a)


def test_callbacks_run_in_the_context_that_is_given(loop, pair):
    """As the transports of Python 3.15 ask for it."""
    a, b = pair
    variable = contextvars.ContextVar("variable", default="outside")
    given = contextvars.copy_context()
    given.run(variable.set, "given")
    seen = []
    for context in (given, None):
        loop._add_reader(a, lambda: seen.append(variable.get()), context=context)
        loop._add_writer(a, lambda: seen.append(variable.get()), context=context)
        b.send(b"x")
        run_briefly(loop)
    assert seen == ["given", "given", "outside", "outside"]
    with pytest.raises(TypeError, match="contekst"):
        loop._add_reader(a, print, contekst=given)
    with pytest.raises(TypeError, match=r"contextvars\.Context"):
        loop._add_writer(a, print, context=1)
    loop.remove_reader(a)
    loop.remove_writer(a)


def test_one_callback_may_remove_the_others(loop):
    pairs = [socket.socketpair() for _ in range(10)]
    seen = []

    def readable(index):
        seen.append(index)
        for a, _ in pairs:
            loop.remove_reader(a)

    for index, (a, b) in enumerate(pairs):
        loop.add_reader(a, readable, index)
        b.send(b"x")
    run_briefly(loop)
    assert len(seen) == 1
    for a, b in pairs:
        a.close()
        b.close()


def test_a_descriptor_closed_without_removing_can_be_used_again(loop):
    seen = []
    a, b = socket.socketpair()
    number = a.fileno()
    loop.add_reader(number, seen.append, "stale")
    a.close()
    b.close()
    c, d = socket.socketpair()
    if c.fileno() != number:
        os.dup2(c.fileno(), number)
    loop.add_reader(number, lambda: (seen.append("fresh"), os.read(number, 1)))
    d.send(b"x")
    run_briefly(loop)
    assert seen == ["fresh"]
    loop.remove_reader(number)
    if c.fileno() != number:
        os.close(number)
    c.close()
    d.close()


def test_a_regular_file_is_refused_by_name_of_the_error(loop, tmp_path):
    with open(tmp_path / "file", "w") as file, pytest.raises(PermissionError):
        loop.add_reader(file, print)
    assert loop.stats()["descriptors"] == 1


def test_a_descriptor_of_a_transport_is_refused():
    async def main():
        a, b = socket.socketpair()
        a.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=a)
        assert "read=polling" in repr(transport)
        with pytest.raises(RuntimeError, match="is used by transport"):
            loop.add_reader(a.fileno(), print)
        transport.close()
        b.close()
        await asyncio.sleep(0)

    pyasync_hw.run(main())


def test_a_task_woken_by_a_reader_runs_without_another_poll(loop, pair):
    a, b = pair

    async def main():
        future = loop.create_future()
        loop.add_reader(a, lambda: future.set_result(loop.stats()["polls"]))
        b.send(b"x")
        polls = await future
        loop.remove_reader(a)
        return loop.stats()["polls"] - polls

    assert loop.run_until_complete(main()) == 0


def test_the_selector_view_is_read_only(loop, pair):
    a, _ = pair
    loop.add_reader(a, print)
    view = loop._selector
    assert view.get_key(a).fd == a.fileno()
    assert a.fileno() in list(view.get_map())
    with pytest.raises(KeyError):
        view.get_key(pair[1])
    with pytest.raises(NotImplementedError, match="add_reader"):
        view.register(a, 1)
    loop.remove_reader(a)


def test_a_number_that_is_no_open_descriptor(loop):
    with pytest.raises(OSError, match="Bad file descriptor"):
        loop.add_reader(2**31 - 1, print)


@pytest.mark.filterwarnings("error")
def test_at_the_limit_of_descriptors_a_loop_is_whole_or_nothing():
    pyasync_hw.new_event_loop().close()
    before = os.listdir("/proc/self/fd")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    full = []
    made = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        with contextlib.suppress(OSError):
            while True:
                full.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        for _ in range(8):
            try:
                loop = pyasync_hw.new_event_loop()
            except OSError as exc:
                made.append(exc.errno)
            else:
                loop.close()
                made.append(0)
            gc.collect()
            os.close(full.pop())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in full:
            os.close(fd)
    assert set(made) == {errno.EMFILE, 0}
    assert os.listdir("/proc/self/fd") == before
