"""Servers, datagrams and their sockets, as up to Python 3.7."""

import asyncio
import socket

import pytest


def test_wait_closed_does_not_wait_for_clients(legacy):
    """The end of asyncio's old echo server, with a client there."""
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


class Keep(asyncio.DatagramProtocol):
    def __init__(self):
        self.received = asyncio.Future()

    def datagram_received(self, data, address):
        self.received.set_result(data)


def test_datagrams_with_reuse_address(legacy):
    loop = asyncio.get_event_loop()
    address = ("127.0.0.1", 0)

    def endpoint(**options):
        return loop.run_until_complete(loop.create_datagram_endpoint(Keep, **options))

    first, protocol = endpoint(local_addr=address, reuse_address=True)
    address = first.get_extra_info("sockname")
    second, _ = endpoint(local_addr=address, reuse_address=True)
    second.close()
    with pytest.raises(OSError):
        endpoint(local_addr=address, reuse_address=False)
    with pytest.raises(OSError):
        endpoint(local_addr=address)
    options = {"remote_addr": address, "reuse_address": True, "allow_broadcast": True}
    client, _ = endpoint(local_addr=("127.0.0.1", 0), **options)
    client.sendto(b"hello")
    assert loop.run_until_complete(protocol.received) == b"hello"
    first.close()
    client.close()
    loop.run_until_complete(asyncio.sleep(0))


def test_the_socket_of_a_transport_has_its_methods(legacy):
    loop = asyncio.get_event_loop()
    ours, other = socket.socketpair()
    connecting = loop.create_connection(asyncio.Protocol, sock=ours)
    transport, _ = loop.run_until_complete(connecting)
    sock = transport.get_extra_info("socket")
    sock.send(b"hello")
    assert other.recv(5) == b"hello"
    with pytest.raises(AttributeError, match="no attribute 'sned'"):
        sock.sned()
    transport.close()
    other.close()
    loop.run_until_complete(asyncio.sleep(0))


def test_a_unix_server_leaves_its_file_to_the_program(legacy, tmp_path):
    loop = asyncio.get_event_loop()
    for path, options in ((tmp_path / "a", {}), (tmp_path / "b", {"backlog": 1})):
        creating = loop.create_unix_server(asyncio.Protocol, str(path), **options)
        server = loop.run_until_complete(creating)
        server.close()
        loop.run_until_complete(server.wait_closed())
        path.unlink()
