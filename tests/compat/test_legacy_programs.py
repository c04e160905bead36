"""Whole programs, written as for Python 3.4 to 3.9, under `run`; all in one process.

Each is run with a current loop that nobody has made yet, as if it were alone.
"""

import functools
import json
import signal
import socket
import subprocess
import sys

import pytest
from running import ENVIRONMENT, run

# name -> (program, what it prints)
PROGRAMS = {
    "hand the loop on": (
        """
        @asyncio.coroutine
        def produce(queue, lock, loop):
            yield from lock.acquire()
            yield from asyncio.sleep(0.01, loop=loop)
            lock.release()
            yield from queue.put("item")

        loop = asyncio.get_event_loop()
        queue, lock = asyncio.Queue(loop=loop), asyncio.Lock(loop=loop)
        loop.run_until_complete(asyncio.wait_for(produce(queue, lock, loop), 60, loop=loop))
        print(loop.run_until_complete(asyncio.gather(queue.get(), loop=loop))[0])
        """,
        "item",
    ),
    "bare coroutines in wait": (
        """
        async def work(number):
            await asyncio.sleep(0.01)
            return number

        loop = asyncio.get_event_loop()
        done, pending = loop.run_until_complete(asyncio.wait([work(1), work(2)], timeout=60))
        print(*sorted(task.result() for task in done))
        """,
        "1 2",
    ),
    "star import": (
        """
        from asyncio import *

        @coroutine
        def work(x):
            yield from sleep(0)
            return 2 * x

        loop = get_event_loop()
        tasks = [Task(work(1)), globals()["async"](work(2)), ensure_future(work(3))]
        loop.run_until_complete(wait(tasks, return_when=ALL_COMPLETED))
        print(*(task.result() for task in tasks))
        """,
        "2 4 6",
    ),
    "a new loop that is not the current one": (
        """
        asyncio.set_event_loop(None)
        loop = asyncio.new_event_loop()

        @asyncio.coroutine
        def work():
            yield from asyncio.sleep(0, loop=loop)
            return asyncio.get_event_loop() is loop

        print(loop.run_until_complete(asyncio.wait([work()], loop=loop))[0].pop().result())
        loop.close()
        """,
        "True",
    ),
    "producer and consumer with JoinableQueue": (
        """
        queue = asyncio.JoinableQueue(maxsize=2)

        @asyncio.coroutine
        def consume():
            while True:
                item = yield from queue.get()
                print(item, end=" ")
                queue.task_done()

        @asyncio.coroutine
        def produce():
            for item in range(4):
                yield from queue.put(item)
            yield from queue.join()

        loop = asyncio.get_event_loop()
        consumer = loop.create_task(consume())
        loop.run_until_complete(produce())
        consumer.cancel()
        try:
            loop.run_until_complete(consumer)
        except asyncio.futures.CancelledError:
            print("cancelled")
        """,
        "0 1 2 3 cancelled",
    ),
    "cancel all tasks at the end": (
        """
        import concurrent.futures

        @asyncio.coroutine
        def work():
            try:
                while True:
                    yield from asyncio.sleep(1)
            except concurrent.futures.CancelledError:
                print("cancelled", end=" ")
                raise

        loop = asyncio.get_event_loop()
        for _ in range(2):
            asyncio.ensure_future(work())
        loop.call_later(0.01, loop.stop)
        try:
            loop.run_forever()
        finally:
            tasks = asyncio.Task.all_tasks()
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.close()
        print(len(tasks))
        """,
        "cancelled cancelled 2",
    ),
    "an executor and as_completed": (
        """
        loop = asyncio.get_event_loop()

        @asyncio.coroutine
        def main():
            waits = [loop.run_in_executor(None, divmod, x, 3) for x in (7, 8)]
            results = []
            for future in asyncio.as_completed(waits, loop=loop, timeout=60):
                results.append((yield from future))
            print(*sorted(results))

        loop.run_until_complete(main())
        """,
        "(2, 1) (2, 2)",
    ),
    "a child": (
        """
        @asyncio.coroutine
        def main(loop):
            create = asyncio.create_subprocess_exec(
                "cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, loop=loop
            )
            process = yield from create
            out, _ = yield from process.communicate(b"hello")
            print(out.decode(), (yield from process.wait()))

        loop = asyncio.get_event_loop()
        loop.run_until_complete(main(loop))
        loop.close()
        """,
        "hello 0",
    ),
    "a lock in a with": (
        """
        lock, semaphore = asyncio.Lock(), asyncio.Semaphore(2)

        @asyncio.coroutine
        def work(number):
            with (yield from semaphore):
                with (yield from lock):
                    yield from asyncio.sleep(0)
                    print(number, end=" ")

        asyncio.get_event_loop().run_until_complete(asyncio.wait([work(1)]))
        print(lock.locked())
        """,
        "1 False",
    ),
    "a thread with a loop of its own": (
        """
        import threading

        def serve(ready):
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            loop.call_soon(ready.append, loop)
            loop.call_soon(event.set)
            loop.run_forever()
            loop.close()

        ready, event = [], threading.Event()
        thread = threading.Thread(target=serve, args=(ready,))
        thread.start()
        event.wait(60)

        @asyncio.coroutine
        def work():
            return (yield from asyncio.sleep(0, "worked", loop=ready[0]))

        print(asyncio.run_coroutine_threadsafe(work(), ready[0]).result(60))
        ready[0].call_soon_threadsafe(ready[0].stop)
        thread.join()
        """,
        "worked",
    ),
    "a timer chain of callbacks": (
        """
        def tick(loop, left):
            print(left, end=" ")
            if left:
                loop.call_later(0.001, tick, loop, left - 1)
            else:
                loop.stop()

        loop = asyncio.get_event_loop()
        loop.call_soon(tick, loop, 2)
        loop.run_forever()
        print(loop.is_running())
        loop.close()
        """,
        "2 1 0 False",
    ),
}

DRIVER = """
import asyncio, contextlib, io, json, sys, textwrap, traceback

programs, results = json.load(open(sys.argv[1])), {}
for name, text in programs.items():
    asyncio.set_event_loop(None)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(textwrap.dedent(text), {"__name__": "__main__", "asyncio": asyncio})
        except BaseException:
            out.write(traceback.format_exc())
    results[name] = out.getvalue()
json.dump(results, sys.stdout)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    texts = {name: program for name, (program, _) in PROGRAMS.items()}
    (folder / "programs.json").write_text(json.dumps(texts))
    (folder / "app.py").write_text(DRIVER)
    status, out, err = run(str(folder / "app.py"), str(folder / "programs.json"))
    assert (status, err) == (0, "")
    return json.loads(out)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program(name, results):
    assert results[name] == PROGRAMS[name][1] + "\n"


ECHO_SERVER = """
    import asyncio

    @asyncio.coroutine
    def handle_echo(reader, writer):
        while True:  # else the writer's end, which a Ctrl+C must not meet, comes after the line
            data = yield from reader.readline()
            writer.write(data)
            yield from writer.drain()

    loop = asyncio.get_event_loop()
    server = loop.run_until_complete(asyncio.start_server(handle_echo, "127.0.0.1", 0, loop=loop))
    print(server.sockets[0].getsockname()[1], flush=True)
    try:
        loop.run_forever()
    except KeyboardInterrupt:
        pass
    server.close()
    loop.run_until_complete(server.wait_closed())
    loop.close()
    print("closed")
"""


def test_an_echo_server_ends_by_ctrl_c_while_a_client_is_there(program):
    command = [sys.executable, "-m", "pyasync_hw", "run", "--hw", "sim", program(ECHO_SERVER)]
    # A shell without job control starts its children with SIGINT ignored.
    begin = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        preexec_fn=begin,
    ) as process:  # fmt: skip
        try:
            port = int(process.stdout.readline())
            with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
                client.sendall(b"hello\n")
                assert client.recv(6) == b"hello\n"
                process.send_signal(signal.SIGINT)
                # stderr: the handler's task has not ended, and may say so.
                out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (0, "closed\n"), err
