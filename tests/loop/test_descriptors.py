"""Readers and writers: replacing, removing, closing behind the loop's back."""

import asyncio
import contextlib
import contextvars
import errno
import fcntl
import gc
import itertools
import os
import resource
import selectors
import socket
import tracemalloc
import weakref

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


def test_the_selector_view_knows_what_was_registered(loop, pair):
    a, _ = pair
    number = a.fileno()
    loop.add_reader(a, print)
    loop.add_writer(number, print)
    key = loop._selector.get_key(number)
    assert (key.fileobj, key.fd, key.events) == (a, number, 3)
    assert key.data[0].__class__ is asyncio.Handle
    a.close()
    assert loop._selector.get_key(a) == key
    loop.remove_writer(a)
    assert loop._selector.get_key(a).events == 1
    loop.remove_reader(a)
    with pytest.raises(ValueError, match="Invalid file descriptor: -1"):
        loop._selector.get_key(a)


def test_a_closed_loop_is_in_no_cycle():
    loop = pyasync_hw.new_event_loop()
    gone = weakref.ref(loop)
    gc.disable()
    try:
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        loop.create_future()  # is not refused, by asyncio neither
        del loop
        assert gone() is None
    finally:
        gc.enable()


def test_the_selector_view_does_not_hold_its_loop():
    loop = pyasync_hw.new_event_loop()
    view, watched = loop._selector, loop._selector.get_map()
    gone = weakref.ref(loop)
    loop.close()
    del loop
    assert gone() is None
    assert list(watched) == []
    with pytest.raises(KeyError):
        view.get_key(0)


class Thing:
    """Something with a descriptor."""

    def __init__(self, number):
        self.number = number

    def fileno(self):
        if isinstance(self.number, Exception):
            raise self.number
        return self.number


CLOSED = {
    "socket": lambda a: (a, a.close),
    "detached": lambda a: (a, lambda: os.close(a.detach())),
    "negative": lambda a: (thing := Thing(a.fileno()), lambda: setattr(thing, "number", -1)),
    "text": lambda a: (thing := Thing(str(a.fileno())), lambda: setattr(thing, "number", "-1")),
    "another number": lambda a: (thing := Thing(a.fileno()), lambda: setattr(thing, "number", 0)),
    "ValueError": lambda a: (
        thing := Thing(a.fileno()),
        lambda: setattr(thing, "number", ValueError("closed")),
    ),
    "OSError": lambda a: (
        thing := Thing(a.fileno()),
        lambda: setattr(thing, "number", OSError("closed")),
    ),
    "no number": lambda a: (thing := Thing(a.fileno()), lambda: setattr(thing, "number", None)),
}


def outcome(function, *args):
    try:
        return function(*args)
    except Exception as error:
        return type(error), str(error).partition(" object at ")[0]


@pytest.mark.parametrize("what", CLOSED)
@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
def test_removing_what_is_closed_is_as_in_asyncio(what, private):
    def observe(loop):
        a, b = socket.socketpair()
        number = a.fileno()
        thing, close = CLOSED[what](a)
        seen = [outcome(loop.add_reader, thing, print)]
        close()
        prefix = "_remove" if private else "remove"
        remove_reader = getattr(loop, prefix + "_reader")
        remove_writer = getattr(loop, prefix + "_writer")
        for by in (thing, Thing(-1), number):
            seen += [outcome(remove, by) for remove in (remove_writer, remove_reader) * 2]
        loop.close()
        seen.append(outcome(remove_reader, thing))
        a.close()
        b.close()
        return seen

    expected = observe(asyncio.SelectorEventLoop())
    assert observe(pyasync_hw.new_event_loop()) == expected
    if what in ("socket", "detached"):
        assert expected[1:3] == [False, True]


def test_reader_and_writer_of_what_is_closed(loop):
    """asyncio raises OSError here, and forgets both."""
    a, b = socket.socketpair()
    loop.add_reader(a, print)
    loop.add_writer(a, print)
    a.close()
    assert loop.remove_reader(a) is True
    assert loop.remove_writer(a) is True
    with pytest.raises(ValueError, match="Invalid file descriptor: -1"):
        loop.remove_writer(a)
    b.close()


def test_what_is_registered_lives_as_long_as_its_registration(loop, pair):
    class Socketlike(Thing):
        pass

    thing = Socketlike(pair[0].fileno())
    gone = weakref.ref(thing)
    loop.add_reader(thing, print)
    loop.add_writer(thing, print)
    del thing
    assert gone() in gc.get_referents(loop)
    loop.remove_reader(gone())
    assert gone() is not None
    loop.remove_writer(gone())
    assert gone() is None


@pytest.mark.parametrize("close", ["old", "both", "new", ""])
@pytest.mark.parametrize("again", ["", "object", "number"])
@pytest.mark.parametrize("first", ["object", "number"])
@pytest.mark.parametrize("kind", ["reader", "writer"])
def test_a_number_that_another_object_has_now(kind, first, again, close):
    """The number is known by what it was first registered with, until that is removed."""

    def observe(loop, removals):
        one, other = socket.socketpair()
        number = one.fileno()
        old, new = Thing(number), Thing(number)
        add, remove = getattr(loop, f"add_{kind}"), getattr(loop, f"remove_{kind}")
        add(old if first == "object" else number, print)
        if close:  # and the number is used again
            os.dup2(other.fileno(), number)
        if close in ("old", "both"):
            old.number = -1
        if again:
            add(new if again == "object" else number, print)
        if close in ("new", "both"):
            new.number = -1
        by = {"old": old, "new": new, "number": number, "none": Thing(-1)}
        known = outcome(lambda: loop._selector.get_key(number).fileobj)
        seen = ["old" if known is old else "new" if known is new else known == number]
        seen += [outcome(remove, by[name]) for name in removals]
        one.close()
        other.close()
        loop.close()
        return seen

    for removals in itertools.permutations(["old", "new", "number", "none"]):
        expected = observe(asyncio.SelectorEventLoop(), removals)
        assert observe(pyasync_hw.new_event_loop(), removals) == expected, removals


@pytest.mark.parametrize("make", [asyncio.SelectorEventLoop, pyasync_hw.new_event_loop])
def test_a_cancelled_handle_is_removed_by_its_event(make, pair):
    a, b = pair
    loop = make()
    seen = []
    reader = loop._add_reader(a, seen.append, "reader")
    writer = loop._add_writer(a, seen.append, "writer")
    b.send(b"x")
    reader.cancel()
    for _ in range(3):
        run_briefly(loop)
    assert set(seen) == {"writer"}
    assert loop.remove_reader(a) is False
    writer.cancel()
    del seen[:]
    run_briefly(loop)
    assert loop.remove_writer(a) is False
    assert a.fileno() not in list(loop._selector.get_map())
    assert seen == []
    loop.close()


def test_a_cancelled_reader_does_not_spin(pair):
    """On a virtual clock, where time passes only when there is nothing to do."""
    a, b = pair
    loop = pyasync_hw.new_event_loop(clock=pyasync_hw.VirtualClock())
    loop._add_reader(a, print).cancel()
    b.send(b"x")
    loop.call_later(1, loop.stop)
    loop.run_forever()
    loop.close()


def high_descriptors(count):
    """The numbers from the highest that is allowed, downwards."""
    limit = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 65536)
    r, w = os.pipe()
    numbers = []
    for number in range(limit - 1, limit - 1 - count, -1):
        numbers.append(fcntl.fcntl(r, fcntl.F_DUPFD_CLOEXEC, number))
    os.close(r)
    return w, numbers


def test_the_memory_of_a_burst_of_descriptors_comes_back(loop):
    loop.set_debug(False)  # handles then hold no tracebacks
    w, numbers = high_descriptors(600)
    for _ in range(2 * len(numbers)):  # these many handles are kept for the next burst
        loop.call_soon(int)
    run_briefly(loop)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        loop.add_reader(numbers[0], print)
        one = tracemalloc.get_traced_memory()[0] - before
        for number in numbers:
            loop.add_reader(number, print)
        many = tracemalloc.get_traced_memory()[0] - before
        for number in numbers:
            assert loop.remove_reader(number)
        gc.collect()
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        for number in [w, *numbers]:
            os.close(number)
    assert many > 20_000
    assert one < 20_000  # one high number does not cost a table up to it
    assert left < 20_000


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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("fails", ["_add_reader", "set_debug", "_make_self_pipe"])
def test_a_loop_that_fails_to_be_made_closes_what_it_opened(fails):
    class Failing(pyasync_hw.EventLoop):
        pass

    def fail(self, *args):
        if fails == "_make_self_pipe":
            super(Failing, self)._make_self_pipe()
        raise OSError(errno.ENOSPC, "no space")

    setattr(Failing, fails, fail)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="no space") as failed:
        Failing()
    assert failed.tb is not None  # the half-made loop is in its frames
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("wrong", [{"selector": selectors.DefaultSelector}, {"clock": 1}])
def test_a_loop_that_is_refused_its_arguments_opens_nothing(wrong):
    before = os.listdir("/proc/self/fd")
    with pytest.raises(TypeError):
        pyasync_hw.EventLoop(**wrong)
    gc.collect()
    assert os.listdir("/proc/self/fd") == before
