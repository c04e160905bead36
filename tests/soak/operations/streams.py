"""Streams and datagrams on loopback."""

from __future__ import annotations

import asyncio
import contextlib

from ..account import Expectation
from ..step import Step, operation


@operation(1)
async def tcp_streams(step: Step) -> None:
    ended: list[Expectation] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        expected = step.expect("connection")
        ended.append(expected)
        while data := await reader.read(20_000):
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        expected.ran()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def talk() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(step.rng.randrange(1, 5)):
            data = step.rng.randbytes(step.rng.choice((1, 1000, 100_000)))
            writer.write(data)
            step.check(await reader.readexactly(len(data)) == data, "other bytes came")
        writer.write_eof()
        step.check(await reader.read() == b"", "bytes came after the end")
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(talk() for _ in range(step.rng.randrange(1, 4))))
    server.close()
    await server.wait_closed()
    while any(expected.state == "coming" for expected in ended):
        await asyncio.sleep(0.001)
    await step.turns(3)


@operation(1)
async def connection_refused_or_aborted(step: Step) -> None:
    accepted = step.loop.create_future()

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.expected = step.expect("connection_lost")
            accepted.set_result(transport)

        def connection_lost(self, error: Exception | None) -> None:
            self.expected.ran()

    server = await step.loop.create_server(Protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    (await accepted).abort()
    with contextlib.suppress(ConnectionResetError):
        step.check(await reader.read() == b"", "bytes came")
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    server.close()
    await server.wait_closed()
    expected = step.expect("connection refused")
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        expected.ran()
    else:  # a forked child still has the listening socket, or somebody else has the port
        expected.cancelled()
        writer.transport.abort()
    await step.turns(3)


@operation(1)
async def datagrams(step: Step) -> None:
    count, received = step.rng.randrange(1, 20), asyncio.Queue[bytes]()

    class Protocol(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.closed = step.expect("connection_lost")

        def datagram_received(self, data: bytes, address: object) -> None:
            received.put_nowait(data)

        def connection_lost(self, error: Exception | None) -> None:
            self.closed.ran()

    server, _ = await step.loop.create_datagram_endpoint(Protocol, local_addr=("127.0.0.1", 0))
    client, _ = await step.loop.create_datagram_endpoint(
        Protocol, remote_addr=server.get_extra_info("sockname")
    )
    for i in range(count):
        client.sendto(b"%d" % i)
        step.check(await received.get() == b"%d" % i, "another datagram came")
    client.close()
    server.close()
    await step.turns(3)
