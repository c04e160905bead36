"""MicroPython's streams over real sockets, in both of its APIs."""

import asyncio
import importlib
import socket
import ssl
import threading

import pytest

import pyasync_hw
from pyasync_hw.compat import upy


@pytest.fixture
def uasyncio():
    uninstall = upy.install()
    loop = pyasync_hw.new_event_loop()
    asyncio.set_event_loop(loop)
    yield importlib.import_module("uasyncio")
    asyncio.set_event_loop(None)
    loop.close()
    uninstall()


@pytest.fixture
def port():
    """A port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


async def talk(uasyncio, port, text):
    """All that the server at `port` says to `text`."""
    reader, writer = await uasyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    await writer.drain()
    answer = await reader.read()
    await writer.wait_closed()
    return answer


async def page(reader, writer):
    """Seed 004's way: str, and no close()."""
    request = await reader.read(1024)
    writer.write("HTTP/1.0 200 OK\r\n\r\n")
    writer.write(f"<p>über {request.decode()}</p>")
    await writer.drain()
    await writer.wait_closed()


PAGE = "HTTP/1.0 200 OK\r\n\r\n<p>über GET</p>".encode()


def test_a_server_as_a_task(uasyncio, port):
    loop = uasyncio.get_event_loop()
    loop.create_task(uasyncio.start_server(page, "127.0.0.1", port))

    async def main():
        await uasyncio.sleep_ms(0)
        return await uasyncio.gather(*(talk(uasyncio, port, "GET") for _ in range(3)))

    assert loop.run_until_complete(main()) == [PAGE] * 3
    assert loop.run_until_complete(talk(uasyncio, port, b"GET")) == PAGE


def test_a_server_that_is_awaited_and_closed(uasyncio, port):
    async def main():
        async with await uasyncio.start_server(page, "127.0.0.1", port, backlog=1):
            assert await talk(uasyncio, port, "GET") == PAGE
        with pytest.raises(ConnectionRefusedError):
            await uasyncio.open_connection("127.0.0.1", port)
        server = await uasyncio.start_server(page, "127.0.0.1", port)
        with pytest.raises(OSError, match="in use"):
            await uasyncio.start_server(page, "127.0.0.1", port)
        server.close()
        await server.wait_closed()

    uasyncio.run(main())


def test_the_api_of_2016(uasyncio, port):
    peers = []

    @uasyncio.coroutine
    def serve(reader, writer):
        peers.append(writer.get_extra_info("peername"))
        assert writer.get_extra_info("nothing", 5) == 5
        line = yield from reader.read()
        yield from writer.awrite(line.upper())
        yield from writer.awrite(b"0123456789", 2, 3)
        yield from writer.awriteiter(["a", b"b"])
        yield from writer.close()  # as up to 2015

    def client():
        reader, writer = yield from uasyncio.open_connection("127.0.0.1", port)
        yield from writer.awrite("hello\n")
        line = yield from reader.readline()
        rest = yield from reader.readexactly(5)
        end = yield from reader.read(100)
        yield from reader.aclose()
        return line, rest, end

    loop = uasyncio.get_event_loop()
    loop.call_soon(uasyncio.start_server(serve, "127.0.0.1", port, 1))
    loop.run_until_complete(uasyncio.sleep_ms(0))
    assert loop.run_until_complete(client()) == (b"HELLO\n", b"234ab", b"")
    assert peers[0][0] == "127.0.0.1"


def test_more_than_the_sockets_hold(uasyncio, port):
    size = 5_000_000

    async def serve(reader, writer):
        buffer = bytearray(100)
        count = await reader.readinto(buffer)
        writer.write(buffer[:count])
        writer.write(bytes(size))
        writer.close()  # goes on until all is written

    async def main():
        async with await uasyncio.start_server(serve, "127.0.0.1", port):
            return await talk(uasyncio, port, "GET")

    assert uasyncio.run(main()) == b"GET" + bytes(size)


def test_an_end_that_comes_too_early(uasyncio, port):
    async def serve(reader, writer):
        writer.write("short")
        writer.close()

    async def main():
        async with await uasyncio.start_server(serve, "127.0.0.1", port):
            stream, _ = await uasyncio.open_connection("127.0.0.1", port)
            async with stream:
                with pytest.raises(EOFError):
                    await stream.readexactly(9)

    uasyncio.run(main())


def test_a_client_that_goes_does_not_end_the_server(uasyncio, port):
    async def serve(reader, writer):
        await reader.read(1)
        writer.write(bytes(9_000_000))
        await writer.wait_closed()

    async def main():
        async with await uasyncio.start_server(serve, "127.0.0.1", port):
            _, rude = await uasyncio.open_connection("127.0.0.1", port)
            await rude.awrite("x")
            await rude.wait_closed()
            assert len(await talk(uasyncio, port, "x")) == 9_000_000

    uasyncio.run(main())


def test_streams_of_sockets_from_elsewhere(uasyncio):
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    async def main():
        stream = uasyncio.StreamReader(ours)
        thread = threading.Thread(target=theirs.sendall, args=(b"line\nrest",))
        thread.start()
        assert await stream.readline() == b"line\n"
        assert await stream.read(9) == b"rest"
        thread.join()
        await uasyncio.StreamWriter(ours, {}).awrite("answer")
        assert theirs.recv(99) == b"answer"
        await stream.wait_closed()
        assert ours.fileno() == -1

    with theirs:
        uasyncio.run(main())


def test_datagrams(uasyncio):
    from uasyncio import udp

    async def main():
        sock = udp.socket()
        sock.bind(("127.0.0.1", 0))
        assert await udp.sendto(sock, b"first", sock.getsockname()) == 5
        assert await udp.sendto(sock, b"second", sock.getsockname()) == 6
        assert await udp.recv(sock, 99) == b"first"
        assert await udp.recvfrom(sock, 3) == (b"sec", sock.getsockname())
        udp.close(sock)

    uasyncio.run(main())


def test_a_stream_that_cannot_be_waited_for_is_ready(uasyncio):
    class Parts(list):
        def read(self, n):
            return self.pop(0) if self else b""

    stream = uasyncio.StreamReader(Parts([b"12", b"3", "4"]))
    assert uasyncio.run(stream.readexactly(3)) == b"123"
    assert uasyncio.run(stream.read()) == b"4"


def test_a_device_that_writes_as_up_to_2019(uasyncio):
    class Printer:
        text = b""

        def ioctl(self, request, flags):
            return flags

        def write(self, buf, off, sz):
            self.text += bytes(buf[off : off + 1])
            return 1

    printer = Printer()
    uasyncio.run(uasyncio.StreamWriter(printer, {}).awrite("slow"))
    assert printer.text == b"slow"


def test_tls(uasyncio, port):
    contexts = []
    for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(protocol)
        # Without certificates.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        contexts.append(context)
    server_side, client_side = contexts

    async def serve(reader, writer):
        line = await reader.readline()
        writer.write(line + bytes(300_000))
        await writer.wait_closed()

    async def main():
        async with await uasyncio.start_server(serve, "127.0.0.1", port, ssl=server_side):
            stream, _ = await uasyncio.open_connection("127.0.0.1", port, ssl=client_side)
            await stream.awrite("line\nrest")
            assert await stream.readline() == b"line\n"
            assert await stream.read() == bytes(300_000)
            await stream.wait_closed()

    uasyncio.run(main())
