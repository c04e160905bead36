"""An echo server for one client at a time: whoever comes meanwhile waits in the backlog."""

import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5566))
server.listen(10)
print("listening on port", server.getsockname()[1], flush=True)

try:
    while True:
        client, address = server.accept()
        with client:
            while True:
                data = client.recv(4096)
                if not data:
                    break
                client.sendall(data)
except KeyboardInterrupt:
    print("closed")
