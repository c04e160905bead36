"""MicroPython's programs, run unchanged."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from running import ENVIRONMENT, run

import pyasync_hw

BOARD = """
import network
import socket, time
import asyncio
from machine import Pin
from collections import deque

led = Pin(15, Pin.OUT)

async def serve(reader, writer):
    while await reader.readline() != b"\\r\\n":
        pass
    writer.write("HTTP/1.0 200 OK\\r\\n\\r\\n")
    writer.write("<h1>page</h1>")
    await writer.drain()
    await writer.wait_closed()

async def main():
    recent = deque((), 2, 1)
    port = free_port()
    asyncio.create_task(asyncio.start_server(serve, "127.0.0.1", port))
    await asyncio.sleep_ms(1)
    client = socket.socket()
    client.connect(("127.0.0.1", port))
    client.send("GET / HTTP/1.0\\r\\n\\r\\n")
    await asyncio.wait_for_ms(until_readable(client), 20000)
    print(client.recv(20))
    print(type(time.time()), time.ticks_diff(time.ticks_ms(), time.ticks_ms()) <= 0)
    led.on()
    print(led.value())

async def until_readable(client):
    yield asyncio.IORead(client)

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

asyncio.run(main())
"""


def test_a_board_knows_micropythons_modules_by_pythons_names(program):
    status, out, err = run(program(BOARD))
    assert (status, err) == (0, "")
    page = b"HTTP/1.0 200 OK\r\n\r\n<h1>page</h1>"
    assert out == f"{page[:20]}\n<class 'int'> True\n1\n"


@pytest.mark.parametrize(
    "imports",
    [
        "import machine",  # a file of the program
        "try:\n    import network\nexcept ImportError:\n    pass",
        "def board():\n    import network",
        "",
    ],
)
def test_other_programs_keep_pythons(imports, program, tmp_path):
    program("", "machine.py")
    path = program(f"{imports}\nimport asyncio, socket\nprint(asyncio.__name__, socket.__name__)")
    assert run(path) == (0, "asyncio socket\n", "")


BARE_YIELD = """
import uasyncio as asyncio

class Event:
    def __init__(self):
        self.flag = False
    async def wait(self):
        while not self.flag:
            yield

class Hardware:
    def __init__(self, count):
        self.count = count
    def __await__(self):
        while self.count:
            yield
            self.count -= 1
    __iter__ = __await__

class Device:
    ready = False
    def fileno(self):
        return 999
    def ioctl(self, cmd, flags):
        return flags if cmd == 3 and self.ready else 0
    async def read(self):
        for n in range(3):
            yield asyncio.IORead(self)
            self.ready = False
            print("read", n)

async def pulse():
    while True:
        yield 10
        device.ready = True

async def wait(n):
    await event.wait()
    print("got it", n)

async def main():
    yield device.read()
    await Hardware(10)
    event.flag = True
    await asyncio.sleep_ms(100)
    yield asyncio.StopLoop(7)

event, device = Event(), Device()
loop = asyncio.get_event_loop()
for coro in (wait(1), wait(2), pulse(), main()):
    loop.create_task(coro)
print("stopped by", loop.run_forever())
loop.close()
"""


def test_bare_yields_and_a_device(program):
    status, out, err = run(program(BARE_YIELD))
    assert (status, err) == (0, "")
    assert out == "got it 1\ngot it 2\nread 0\nread 1\nread 2\nstopped by 7\n"


def test_a_package_that_loads_its_parts_late(program, tmp_path):
    """As micropython-async's primitives do: __import__() without names, `await` in a `def`."""
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "__init__.py").write_text(
        "def __getattr__(name):\n"
        "    return getattr(__import__(name.lower(), None, None, True, 1), name)\n"
    )
    (parts / "gate.py").write_text(
        "import asyncio\n"
        "class Gate:\n"
        "    def __init__(self):\n"
        "        self.event = asyncio.Event()\n"
        "    def __await__(self):\n"
        "        await self.event.wait()\n"
        "    __iter__ = __await__\n"
    )
    path = program(
        """
        import asyncio
        from parts import Gate
        async def main():
            gate = Gate()
            asyncio.create_task(open_it(gate))
            await gate
            print("through")
        async def open_it(gate):
            await asyncio.sleep_ms(1)
            gate.event.set()
        asyncio.run(main())
        """
    )
    assert run(path) == (0, "through\n", "")


def test_streams_of_the_terminal(program):
    path = program(
        """
        import sys
        import uasyncio as asyncio
        async def main():
            reader = asyncio.StreamReader(sys.stdin)
            writer = asyncio.StreamWriter(sys.stdout, {})
            await writer.awrite("ready\\n")
            print(await reader.readline())
            print(await reader.readline())
            print(await reader.read(2), await reader.read(9), await reader.readline())
        asyncio.run(main())
        """
    )
    status, out, err = run(path, input="one\ntwo\nhé")
    assert (status, err) == (0, "")
    assert out == "ready\nb'one\\n'\nb'two\\n'\nh é b''\n"


def test_a_program_that_polls_ends_by_ctrl_c_without_a_word_on_its_tasks(program):
    path = program(
        """
        import uasyncio as asyncio
        class Device:
            def ioctl(self, cmd, flags):
                return 0
        async def read():
            yield asyncio.IORead(Device())
        async def sleep():
            print("runs", flush=True)
            await asyncio.sleep(600)
        loop = asyncio.get_event_loop()
        loop.create_task(read())
        loop.create_task(sleep())
        try:
            loop.run_forever()
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    with subprocess.Popen(
        [sys.executable, "-m", "pyasync_hw", "run", "--hw", "sim", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout.readline() == "runs\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "interrupted\n", "")


def test_a_board_is_known_to_an_installed_package(program, tmp_path):
    """As by pip, in site-packages, where others are told that it is none."""
    site = tmp_path / "lib" / "site-packages"
    shutil.copytree(Path(pyasync_hw.__file__).parent, site / "pyasync_hw")
    path = program("""\
        import asyncio, machine, pyasync_hw
        print(type(asyncio.get_event_loop().time()), pyasync_hw.__file__)
    """)
    result = run(path, cwd=tmp_path, env={**ENVIRONMENT, "PYTHONPATH": str(site)})
    assert result == (0, f"<class 'int'> {site / 'pyasync_hw' / '__init__.py'}\n", "")
