"""MicroPython's modules other than uasyncio, by their documented calls."""

import asyncio
import gc
import importlib
import io
import os
import socket
import sys
import threading
import time
import zlib

import pytest
from running import run

from pyasync_hw.compat import upy


@pytest.fixture
def names():
    """MicroPython's import names; each is imported as an attribute."""
    uninstall = upy.install()

    class Names:
        def __getattr__(self, name):
            return importlib.import_module(name)

    yield Names()
    uninstall()
    assert "utime" not in sys.modules
    assert not hasattr(time, "sleep_ms")


def test_all_that_there_are(names):
    for name in upy._MODULES:
        module = importlib.import_module(name)
        assert all(hasattr(module, each) for each in getattr(module, "__all__", ()))
        assert module.__spec__.name != name  # it is what it was


def test_a_file_of_the_program_comes_first(program, tmp_path):
    program("print('mine')", "utime.py")
    path = program("import utime, ustruct, struct; print(ustruct is struct)")
    assert run(path) == (0, "mine\nTrue\n", "")


def test_an_installed_package_that_asks_for_micropython_gets_python(program, tmp_path):
    package = tmp_path / "site-packages" / "both.py"
    package.parent.mkdir()
    package.write_text(
        "try:\n"
        "    import uasyncio as asyncio\n"
        "except ImportError:\n"
        "    import asyncio\n"
        "import ustruct\n"  # one for MicroPython only
        "try:\n"
        "    from micropython import const\n"
        "except ImportError:\n"
        "    const = None\n"
    )
    path = program(
        """
        import os, sys
        sys.path.append(os.path.join(os.path.dirname(__file__), "site-packages"))
        import both
        try:
            import uasyncio
        except ImportError:
            uasyncio = None
        print(both.asyncio.__name__, both.ustruct.__name__, both.const, uasyncio.__name__)
        """
    )
    assert run(path) == (0, "asyncio struct None pyasync_hw.compat.upy.uasyncio\n", "")


@pytest.mark.parametrize("name", ["uasyncio", "usocket", "utime", "uos", "uselect", "ussl"])
def test_a_name_that_is_nowhere(name, names):
    with pytest.raises(
        AttributeError, match=f"neither MicroPython's {name} nor Python's {name[1:]}"
    ):
        _ = getattr(names, name).no_such_thing
    with pytest.raises(ImportError, match="no_such_thing"):
        exec(f"from {name} import no_such_thing")


def test_they_can_be_left_out(program):
    status, _, err = run("--shims=none", program("import usocket"))
    assert status == 1
    assert "No module named 'usocket'" in err


def test_ticks(names):
    utime = names.utime
    before = utime.ticks_ms(), utime.ticks_us(), utime.ticks_cpu()
    utime.sleep(0.001)
    utime.sleep_ms(2)
    utime.sleep_us(3000)
    utime.sleep_ms(-1)
    after = utime.ticks_ms(), utime.ticks_us(), utime.ticks_cpu()
    assert [type(ticks) for ticks in after] == [int] * 3
    assert utime.ticks_diff(after[0], before[0]) >= 5
    assert utime.ticks_diff(after[1], before[1]) >= 6000
    assert utime.ticks_diff(after[2], before[2]) > 0
    assert utime.ticks_diff(before[0], utime.ticks_add(before[0], 10)) == -10


def test_time_of_day(names):
    utime = names.utime
    assert abs(utime.time() - time.time()) < 5
    assert type(utime.time()) is int
    assert utime.gmtime(86400)[:3] == (1970, 1, 2)
    assert len(utime.localtime()) == 8
    assert utime.mktime(utime.localtime(1_000_000)) == 1_000_000
    assert abs(utime.time_ns() - time.time_ns()) < 5e9


def test_what_standard_modules_lack(names):
    from time import sleep_ms, ticks_diff, ticks_ms

    start = ticks_ms()
    sleep_ms(2)
    time.sleep_us(1)
    assert ticks_diff(time.ticks_ms(), start) >= 2
    assert time.ticks_add(1, 2) == 3
    assert asyncio.sleep_ms is names.uasyncio.sleep_ms
    assert asyncio.ThreadSafeFlag is names.uasyncio.ThreadSafeFlag
    assert asyncio.wait_for_ms is names.uasyncio.wait_for_ms
    assert gc.mem_alloc() > 0
    assert gc.mem_free() > 0
    text = io.StringIO()
    try:
        raise ValueError("what it was")
    except ValueError as exc:
        sys.print_exception(exc, text)
    assert text.getvalue().startswith("Traceback")
    assert text.getvalue().endswith("ValueError: what it was\n")
    for module in (time, asyncio, gc, sys):
        with pytest.raises(AttributeError, match="no_such_thing"):
            _ = module.no_such_thing


def test_a_stock_loop_knows_what_asyncio_lacks(names):
    async def main():
        flag = asyncio.ThreadSafeFlag()
        flag.set()
        await flag.wait()
        await asyncio.sleep_ms(1)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for_ms(asyncio.sleep(9), 1)

    asyncio.run(main())


@pytest.fixture
def pair(names):
    """Two connected sockets, by MicroPython's calls."""
    usocket = names.usocket
    server = usocket.socket(usocket.AF_INET, usocket.SOCK_STREAM)
    server.setsockopt(usocket.SOL_SOCKET, usocket.SO_REUSEADDR, 1)
    server.bind(usocket.getaddrinfo("127.0.0.1", 0)[0][-1])
    server.listen(1)
    client = usocket.socket()
    client.connect(("127.0.0.1", server.getsockname()[1]))
    served, address = server.accept()
    assert address == client.getsockname()
    server.close()
    yield client, served
    client.close()
    served.close()


def test_sockets_take_str_and_are_streams(pair):
    client, served = pair
    assert client.send("GET / é\r\n") == 10
    client.sendall("second\nthird")
    assert client.write("!") == 1
    assert client.write(b"0123456789", 2, 3) == 3
    assert served.readline() == "GET / é\r\n".encode()
    assert served.readline() == b"second\n"
    assert served.read(6) == b"third!"
    buffer = bytearray(3)
    assert served.readinto(buffer) == 3
    assert buffer == b"234"
    client.close()
    assert served.readline() == b""
    assert served.read() == b""


def test_a_read_waits_for_all_and_readinto_for_as_much_as_it_is_told(pair):
    client, served = pair

    def send():
        for part in ("one", "two", "three"):
            client.send(part)
        client.close()

    thread = threading.Thread(target=send)
    thread.start()
    assert served.read(5) == b"onetw"
    buffer = bytearray(9)
    assert served.readinto(buffer, 1) == 1
    assert bytes(buffer[:1]) + served.read() == b"othree"
    thread.join()


def test_sockets_that_do_not_block_give_none(pair):
    client, served = pair
    served.setblocking(False)
    assert served.read(5) is None
    assert served.readline() is None
    assert served.readinto(bytearray(2)) is None
    client.setblocking(False)
    written = 0
    while (count := client.write(b"x" * 65536)) is not None:
        written += count
    assert written > 0
    client.close()
    served.setblocking(True)
    assert len(served.read()) == written


def test_a_file_of_a_socket(pair):
    client, served = pair
    with client.makefile("rwb", 0) as file:
        file.write(b"line\n")
    assert served.makefile().readline() == b"line\n"


def test_a_board_s_own_address_is_served_on_this_machine_s(names, capfd):
    usocket = names.usocket
    with usocket.socket() as server, usocket.socket() as client:
        server.bind(("192.0.2.1", 0))  # documentation's, RFC 5737: nobody has it
        server.listen(1)
        port = server.getsockname()[1]
        client.connect(("127.0.0.1", port))
        server.accept()[0].close()
    said = f"192.0.2.1 is no address of this machine; port {port} is served on all of its"
    assert said in capfd.readouterr().err


def test_datagrams(names):
    usocket = names.usocket
    with usocket.socket(usocket.AF_INET, usocket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        assert sock.sendto("über", sock.getsockname()) == 5
        assert sock.recv(9) == "über".encode()


def test_addresses_are_ipv4_unless_asked_for(names):
    usocket = names.usocket
    family, kind, _, _, address = usocket.getaddrinfo("localhost", 80)[0]
    assert (family, kind, address) == (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 80))
    assert usocket.getaddrinfo("::1", 80)[0][0] == socket.AF_INET6
    with pytest.raises(OSError, match="not supported"):
        usocket.getaddrinfo("::1", 80, usocket.AF_INET)


class Device:
    """One of MicroPython's streams: no descriptor, but ioctl()."""

    def __init__(self, ready):
        self.ready = ready

    def ioctl(self, request, flags):
        assert request == 3
        return flags if self.ready else 0


def test_polls(names, pair):
    uselect = names.uselect
    client, served = pair
    ready, waiting = Device(True), Device(False)
    poller = uselect.poll()
    assert poller.register(served, uselect.POLLIN) is True
    assert poller.register(served, uselect.POLLIN) is None
    assert poller.poll(0) == []
    poller.register(waiting, uselect.POLLIN)
    assert poller.poll(6) == []
    client.send("x")
    assert poller.poll(-1) == [(served, uselect.POLLIN)]
    poller.register(ready, uselect.POLLIN)
    assert list(poller.ipoll(-1, 1)) == [(ready, uselect.POLLIN), (served, uselect.POLLIN)]
    assert list(poller.ipoll(0)) == []
    poller.modify(served, uselect.POLLOUT)
    assert poller.poll() == [(served, uselect.POLLOUT)]
    poller.unregister(served)
    with pytest.raises(OSError, match="not registered"):
        poller.modify(served, uselect.POLLIN)
    assert uselect.select([served, waiting], [client], [], 1) == ([served], [client], [])
    assert uselect.select([waiting], [], [], 0) == ([], [], [])


def test_deques(names):
    deque = names.ucollections.deque
    last = deque((), 2)
    last.extend("abc")
    assert list(last) == ["b", "c"]
    full = deque((), 1, 1)
    full.append("a")
    for add in (full.append, full.appendleft):
        with pytest.raises(IndexError):
            add("b")
    assert full.popleft() == "a"
    assert names.ucollections.namedtuple("Point", ("x", "y"))(1, 2).y == 2
    assert names.ucollections.OrderedDict([("a", 1)]) == {"a": 1}


def test_decompression(names):
    data = b"line one\n" + bytes(999)
    for wbits in (15, 31, -15):
        packed = zlib.compressobj(wbits=wbits)
        stream = io.BytesIO(packed.compress(data) + packed.flush())
        unpacked = names.uzlib.DecompIO(stream, wbits)
        assert unpacked.readline() == b"line one\n"
        buffer = bytearray(5)
        assert unpacked.readinto(buffer) == 5
        assert unpacked.read() == bytes(994)
        assert unpacked.read(5) == unpacked.readline() == b""
    assert names.uzlib.decompress(zlib.compress(data)) == data


def test_files(names, tmp_path):
    uos = names.uos
    (tmp_path / "file").write_text("four")
    (tmp_path / "folder").mkdir()
    found = {name: (kind, size) for name, kind, _, size in uos.ilistdir(str(tmp_path))}
    assert found["file"] == (0x8000, 4)
    assert found["folder"][0] == 0x4000
    assert uos.getcwd() == os.getcwd()
    assert len(uos.urandom(4)) == 4
    uos.dupterm(None)
    with pytest.raises(OSError, match="REPL"):
        uos.dupterm(object())


def test_the_rest_is_pythons(names):
    assert names.ustruct.unpack("<h", b"\x01\x00") == (1,)
    assert names.ujson.loads(names.ujson.dumps({"a": [1, None]})) == {"a": [1, None]}
    assert names.ubinascii.hexlify(b"\x01", ":") == b"01"
    assert names.uhashlib.sha256(b"").digest()[:2] == b"\xe3\xb0"
    assert names.ure.match("a(.)", "ab").group(1) == "b"
    assert names.uerrno.ENOENT == 2
    assert 0 <= names.urandom.getrandbits(3) < 8
    assert names.uio.BytesIO(b"x").read() == b"x"
    heap = []
    names.uheapq.heappush(heap, 1)
    assert names.uheapq.heappop(heap) == 1
    assert names.usys is sys
