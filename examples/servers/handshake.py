"""What callbacks cost: an echo server that wants to hear "hello" first.

Where a client is in the conversation is no longer a place in the code; it has to be kept
beside it, in `greeted`.
"""

import socket
import sys
from selectors import EVENT_READ, DefaultSelector

selector = DefaultSelector()
greeted = {}


def accept(server):
    client, address = server.accept()
    client.setblocking(False)
    greeted[client] = False
    selector.register(client, EVENT_READ, read)


def read(client):
    data = client.recv(4096)
    if not data:
        leave(client)
    elif greeted[client]:
        client.send(data)
    elif data.strip() == b"hello":
        greeted[client] = True
        client.send(b"welcome\n")
    else:
        leave(client)


def leave(client):
    del greeted[client]
    selector.unregister(client)
    client.close()


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
    print("closed with", len(greeted), "clients")
