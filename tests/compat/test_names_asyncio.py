"""Every name of asyncio that the documents' programs and their neighbours use, under `run`."""

from __future__ import annotations

import pytest
from names_table import Row, each, outcomes, shown

PRELUDE = """
import asyncio, collections, concurrent.futures, functools, os, pty, selectors, signal, socket
import threading, time, types
from asyncio import *
from asyncio.futures import Future as FutureOfFutures
from asyncio.tasks import coroutine as coroutine_of_tasks

loop = asyncio.get_event_loop()
seen = []

def take():
    taken = seen[:]
    seen.clear()
    return taken

async def slept(result):
    await asyncio.sleep(0.001)
    return result

async def failing():
    raise KeyError("no")

@asyncio.coroutine
def decorated(result):
    yield from asyncio.sleep(0)
    return result

@types.coroutine
def generator(result):
    yield
    return result

@coroutine_of_tasks
def of_tasks(result):
    yield
    return result

def undecorated(result):
    yield from asyncio.sleep(0)
    return result

# -- seed 000: handlers of signals, a task that is cancelled, and the loop that runs again

async def cleaning_up(name):
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        seen.append(name + " cancelled")
        raise
    except Exception:
        seen.append(name + " failed")
    finally:
        await asyncio.sleep(0.001)
        seen.append(name + " clean")

class Application:
    def __init__(self):
        self.event = threading.Event()

    async def main(self):
        try:
            await loop.run_in_executor(None, self.event.wait)
        except asyncio.CancelledError:
            seen.append("waiting cancelled")
            self.event.set()
            raise

    def stop(self):
        for task in asyncio.Task.all_tasks():
            task.cancel()
        loop.stop()

application = Application()

def run_until_a_signal():
    asyncio.ensure_future(cleaning_up("task"))
    asyncio.ensure_future(application.main())
    loop.call_later(0.01, os.kill, os.getpid(), signal.SIGTERM)
    loop.run_forever()

def run_the_rest():
    rest = asyncio.gather(*asyncio.Task.all_tasks(), return_exceptions=True)
    return [type(one).__name__ for one in loop.run_until_complete(rest)]

def on_signal(number, handler, send):
    done = loop.create_future()
    loop.add_signal_handler(number, functools.partial(handler, done))
    send()
    result = loop.run_until_complete(asyncio.wait_for(done, 30))
    return result, loop.remove_signal_handler(number)

def signalled(number):
    send = functools.partial(os.kill, os.getpid(), number)
    return on_signal(number, lambda done: done.set_result("came"), send)

def child():
    spawn = functools.partial(os.posix_spawn, "/bin/true", ["true"], os.environ)
    return on_signal(signal.SIGCHLD, lambda done: done.set_result(os.waitpid(0, 0)[1]), spawn)

async def current():
    return asyncio.Task.current_task() is asyncio.current_task() is not None

# -- a serial line as serial_asyncio opens it

class Serial(asyncio.Transport):
    def __init__(self, loop, protocol, fd):
        super().__init__()
        self.loop, self.protocol, self.fd = loop, protocol, fd
        self.buffer, self.closing = b"", False
        loop.call_soon(protocol.connection_made, self)
        loop.call_soon(loop.add_reader, fd, self.read)

    def read(self):
        self.protocol.data_received(os.read(self.fd, 1024))

    def write(self, data):
        self.buffer += data
        self.loop.add_writer(self.fd, self.flush)

    def flush(self):
        self.buffer = self.buffer[os.write(self.fd, self.buffer):]
        if not self.buffer:
            seen.append(self.loop.remove_writer(self.fd))

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True
        seen.append(self.loop.remove_reader(self.fd))
        self.loop.call_soon(self.protocol.connection_lost, None)
        self.loop.call_later(0, os.close, self.fd)

async def serial():
    other, line = pty.openpty()
    for fd in (other, line):
        __import__("tty").setraw(fd)
    os.set_blocking(line, False)
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport = Serial(loop, protocol, line)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    writer.write(b"take photo\\n")
    await writer.drain()
    asked = await loop.run_in_executor(None, os.read, other, 100)
    os.write(other, b"photo\\n1234")
    answer = await reader.readline(), await reader.readexactly(4)
    writer.close()
    await asyncio.sleep(0.001)
    os.close(other)
    return asked, answer

# -- seed 002: loops by hand, and servers

class HandMade:
    def __init__(self):
        self.ready, self.selector = collections.deque(), selectors.DefaultSelector()

    def run(self):
        while self.ready or self.selector.get_map():
            while self.ready:
                task = self.ready.popleft()
                try:
                    fd, event = next(task)
                except StopIteration:
                    continue
                self.selector.register(fd, event, task)
            for key, _ in self.selector.select() if self.selector.get_map() else ():
                self.selector.unregister(key.fileobj)
                self.ready.append(key.data)

def echo_by_hand():
    by_hand, (one, other) = HandMade(), socket.socketpair()
    def server():
        yield one, selectors.EVENT_READ
        data = one.recv(100)
        yield one, selectors.EVENT_WRITE
        one.send(data)
    def client():
        yield other, selectors.EVENT_WRITE
        other.send(b"hello")
        yield other, selectors.EVENT_READ
        seen.append(other.recv(100))
    with one, other:
        by_hand.ready += [server(), client()]
        by_hand.run()
    return take()

async def sock_echo():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        async def serve():
            connection, _ = await loop.sock_accept(server)
            with connection:
                await loop.sock_sendall(connection, await loop.sock_recv(connection, 100))
        serving = loop.create_task(serve())
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, server.getsockname())
            await loop.sock_sendall(client, b"hello")
            answer = await loop.sock_recv(client, 100)
        await serving
    return answer

def threaded_echo():
    def serve(server):
        connection, _ = server.accept()
        with connection:
            connection.sendall(connection.recv(100))
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        with socket.create_connection(server.getsockname()) as client:
            client.sendall(b"hello")
            answer = client.recv(100)
        thread.join()
    return answer

@asyncio.coroutine
def handle(reader, writer):
    writer.write((yield from reader.readline()))
    yield from writer.drain()
    writer.close()

@asyncio.coroutine
def ask(port):
    reader, writer = yield from asyncio.open_connection("127.0.0.1", port, loop=loop)
    writer.write(b"hello\\n")
    answer = yield from reader.read()
    writer.close()
    return answer

def streams_echo():
    server = loop.run_until_complete(asyncio.start_server(handle, "127.0.0.1", 0, loop=loop))
    answer = loop.run_until_complete(ask(server.sockets[0].getsockname()[1]))
    server.close()
    return answer, loop.run_until_complete(server.wait_closed())

# -- seed 003: two tasks that take turns

def turns():
    async def count(name):
        for number in range(3):
            seen.append(name + str(number))
            await asyncio.sleep(0)
        loop.stop()
    timed = loop.call_later(0, seen.append, "timer")
    loop.create_task(count("a"))
    loop.create_task(count("b"))
    loop.run_forever()
    loop.run_until_complete(asyncio.sleep(0.001))
    return sorted(take())

def endless():
    turns = 0
    async def spin():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)
    spinning = loop.create_task(spin()), loop.create_task(spin())
    loop.call_later(0.005, loop.stop)  # a timer, and a descriptor, have their turn
    one, other = socket.socketpair()
    with one, other:
        loop.add_reader(one, lambda: seen.append(one.recv(1)))
        other.send(b"x")
        loop.run_forever()
        loop.remove_reader(one)
    for task in spinning:
        task.cancel()
    loop.run_until_complete(asyncio.wait(spinning))
    return take(), turns > 10

# -- Python 3.4 to 3.8

@asyncio.coroutine
def locked(lock):
    with (yield from lock):
        return lock.locked()

def waited(*things, **options):
    done, pending = loop.run_until_complete(asyncio.wait(things, **options))
    return sorted(str(one.result()) for one in done), len(pending)

def queued():
    queue = asyncio.JoinableQueue(maxsize=2, loop=loop)
    queue.put_nowait(1)
    return loop.run_until_complete(queue.get()), queue.task_done(), queue.empty()

def complete(awaitable):
    return loop.run_until_complete(awaitable)

def cancelled(as_what):
    async def main():
        task = asyncio.ensure_future(asyncio.sleep(3600))
        asyncio.get_event_loop().call_soon(task.cancel)
        try:
            await task
        except as_what:
            return as_what.__name__
    return loop.run_until_complete(main())
"""

TABLE: list[Row] = [
    # seed 000
    ("loop is asyncio.get_event_loop()", True),
    ("type(loop).__module__.partition('.')[0]", "pyasync_hw"),
    ("complete(asyncio.ensure_future(slept(1)))", 1),
    ("(f := asyncio.ensure_future(slept(2))) is asyncio.ensure_future(f), complete(f)", (True, 2)),
    ("complete(asyncio.gather(slept(1), slept(2)))", [1, 2]),
    ("complete(asyncio.gather(slept(1), failing(), return_exceptions=True))", [1, KeyError("no")]),
    ("complete(failing())", KeyError("no")),
    ("complete(asyncio.sleep(0.001, 'result'))", "result"),
    ("complete(current())", True),
    ("asyncio.Task.all_tasks()", set()),
    ("asyncio.Task.all_tasks(loop), asyncio.Task.current_task(loop=loop)", (set(), None)),
    ("loop.add_signal_handler(signal.SIGTERM, application.stop)", None),
    ("run_until_a_signal()", None),
    ("run_the_rest()", ["CancelledError", "CancelledError"]),
    ("sorted(take())", ["task cancelled", "task clean", "waiting cancelled"]),
    ("asyncio.Task.all_tasks()", set()),
    ("loop.remove_signal_handler(signal.SIGTERM)", True),
    ("loop.remove_signal_handler(signal.SIGTERM)", False),
    ("signalled(signal.SIGINT), signalled(signal.SIGUSR1)", (("came", True), ("came", True))),
    ("signalled(signal.SIGUSR2), signalled(signal.SIGTERM)", (("came", True), ("came", True))),
    ("child()", (0, True)),
    ("complete(loop.run_in_executor(None, functools.partial(exec, 'seen.append(1)', globals())))", None),
    ("take()", [1]),
    ("complete(asyncio.run_in_executor(None, int, '5'))", 5),
    ("complete(serial())", (b"take photo\n", (b"photo\n", b"1234"))),
    ("take()", [True, True]),
    # seed 002
    ("(f := FutureOfFutures()).set_result(1), complete(f), isinstance(f, asyncio.Future)", (None, 1, True)),
    ("echo_by_hand()", [b"hello"]),
    ("threaded_echo()", b"hello"),
    ("complete(sock_echo())", b"hello"),
    ("streams_echo()", (b"hello\n", None)),
    ("complete(loop.create_task(generator(1)))", 1),
    # seed 003
    ("turns()", ["a0", "a1", "a2", "b0", "b1", "b2", "timer"]),
    ("endless()", ([b"x"], True)),
    # programs of 2014 to 2019
    ("complete(decorated(1)), complete(of_tasks(2)), complete(undecorated(3))", (1, 2, 3)),
    ("asyncio.iscoroutinefunction(decorated), asyncio.iscoroutine(decorated(1))", (True, True)),
    ("complete(getattr(asyncio, 'async')(decorated(1), loop=loop))", 1),
    ("waited(slept(1), decorated(2))", (["1", "2"], 0)),
    ("waited(slept(1), undecorated(2), loop=loop)", (["1", "2"], 0)),
    ("waited(slept(1), return_when=asyncio.ALL_COMPLETED, timeout=30)", (["1"], 0)),
    ("waited(slept(1), return_when=FIRST_COMPLETED)", (["1"], 0)),
    ("complete(asyncio.sleep(0, 1, loop=loop))", 1),
    ("complete(asyncio.gather(slept(1), slept(2), loop=loop))", [1, 2]),
    ("complete(asyncio.wait_for(slept(1), 30, loop=loop))", 1),
    ("complete(asyncio.wait_for(asyncio.sleep(30), 0.001, loop=loop))", TimeoutError("")),
    ("complete(asyncio.shield(slept(1), loop=loop))", 1),
    ("sorted(complete(one) for one in asyncio.as_completed([slept(1), slept(2)], loop=loop))", [1, 2]),
    ("complete(locked(asyncio.Lock(loop=loop)))", True),
    ("complete(locked(asyncio.Semaphore(1, loop=loop)))", True),
    ("complete(locked(asyncio.Condition(loop=loop)))", True),
    ("complete(asyncio.BoundedSemaphore(1, loop=loop).acquire())", True),
    ("(event := asyncio.Event(loop=loop)).set(), complete(event.wait())", (None, True)),
    ("queued()", (1, None, True)),
    ("complete(asyncio.Queue(loop=loop).join())", None),
    ("asyncio.PriorityQueue(loop=loop).qsize(), asyncio.LifoQueue(3, loop=loop).maxsize", (0, 3)),
    ("(f := asyncio.Future(loop=loop)).set_result(1), complete(f)", (None, 1)),
    ("(f := asyncio.Future()).cancel(), f.cancelled()", (True, True)),
    ("complete(asyncio.Task(slept(1), loop=loop))", 1),
    ("cancelled(asyncio.CancelledError)", "CancelledError"),
    ("cancelled(concurrent.futures.CancelledError)", "CancelledError"),
    ("cancelled(asyncio.futures.CancelledError)", "CancelledError"),
    ("asyncio.TimeoutError is TimeoutError, asyncio.QueueFull is QueueFull", (True, True)),
    ("asyncio.streams.IncompleteReadError is asyncio.IncompleteReadError", True),
    ("get_event_loop is asyncio.get_event_loop, Task is asyncio.Task, coroutine is asyncio.coroutine", (True, True, True)),
    ("asyncio.get_event_loop_policy().get_event_loop() is loop", True),
    ("asyncio.get_child_watcher() is not None", True),
    # the loop's methods
    ("loop.call_soon(seen.append, 1) and complete(asyncio.sleep(0)) or take()", [1]),
    ("loop.call_soon_threadsafe(seen.append, 2) and complete(asyncio.sleep(0)) or take()", [2]),
    ("loop.call_later(0.001, seen.append, 3) and complete(asyncio.sleep(0.002)) or take()", [3]),
    ("loop.call_at(loop.time(), seen.append, 4) and complete(asyncio.sleep(0.001)) or take()", [4]),
    ("loop.call_later(60, print).cancel()", None),
    ("complete(loop.run_in_executor(concurrent.futures.ThreadPoolExecutor(1), int, '6'))", 6),
    ("loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(1))", None),
    ("complete(loop.run_in_executor(None, int, '7'))", 7),
    ("loop.create_future().get_loop() is loop", True),
    ("loop.get_debug(), loop.set_debug(True), loop.get_debug(), loop.set_debug(False)", (False, None, True, None)),
    ("loop.is_running(), loop.is_closed()", (False, False)),
    ("complete(loop.shutdown_asyncgens())", None),
    ("loop.close(), loop.close(), loop.is_closed()", (None, None, True)),
    ("asyncio.set_event_loop(asyncio.new_event_loop())", None),
    ("type(asyncio.get_event_loop()) is type(loop), asyncio.get_event_loop().close()", (True, None)),
    ("asyncio.run(slept(8))", 8),
]  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return outcomes(tmp_path_factory.mktemp("names"), TABLE, PRELUDE, 'model = "pi-zero-w"\n')


@each(TABLE)
def test_a_name_of_asyncio(results: list[str], row: int) -> None:
    assert results[row] == shown(TABLE[row][1])
