"""An echo server of callbacks: one thread asks a selector who is ready, and calls its function."""

import socket
import sys
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

selector = DefaultSelector()


def accept(server):
    client, address = server.accept()
    client.setblocking(False)
    selector.register(client, EVENT_READ, read)


def read(client):
    data = client.recv(4096)
    if data:
        selector.modify(client, EVENT_WRITE, partial(write, data))
    else:
        selector.unregister(client)
        client.close()


def write(data, client):
    rest = data[client.send(data) :]
    if rest:
        selector.modify(client, EVENT_WRITE, partial(write, rest))
    else:
        selector.modify(client, EVENT_READ, read)


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5566))
server.listen(10)
server.setblocking(False)
selector.register(server, EVENT_READ, accept)
print("listening on port", server.getsockname()[1], flush=True)

try:
    while True:
        for key, mask in selector.select():
            key.data(key.fileobj)
except KeyboardInterrupt:
    print("closed")
