"""The end of asyncio's old echo server: close(), then wait_closed() with a client there."""

import asyncio


def test_wait_closed_does_not_wait_for_clients(legacy):
    loop = asyncio.get_event_loop()
    gone = []

    @asyncio.coroutine
    def handle(reader, writer):
        writer.write(b"hello\n")
        gone.append((yield from reader.read()))
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(handle, "127.0.0.1", 0, loop=loop))
    assert len(server.sockets) == 1
    address = server.sockets[0].getsockname()
    reader, writer = loop.run_until_complete(asyncio.open_connection(*address, loop=loop))
    assert loop.run_until_complete(reader.readline()) == b"hello\n"  # it was accepted
    server.close()
    loop.run_until_complete(server.wait_closed())
    assert not server.sockets and not gone  # the client is still there
    writer.write_eof()
    loop.run_until_complete(reader.read())
    writer.close()
    assert gone == [b""]
