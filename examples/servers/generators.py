"""The handshake again, on the loop of loop.py: a conversation reads from top to bottom."""

import socket
import sys

from loop import Loop

loop = Loop()


def handshake(client):
    data = yield from loop.recv(client)
    if data.strip() != b"hello":
        return False
    yield from loop.sendall(client, b"welcome\n")
    return True


def serve(client):
    with client:
        if not (yield from handshake(client)):
            return
        while True:
            data = yield from loop.recv(client)
            if not data:
                break
            yield from loop.sendall(client, data)


def listen(server):
    while True:
        client = yield from loop.accept(server)
        loop.create_task(serve(client))


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5566))
server.listen(10)
server.setblocking(False)
loop.create_task(listen(server))
print("listening on port", server.getsockname()[1], flush=True)

try:
    loop.run_forever()
except KeyboardInterrupt:
    print("closed")
