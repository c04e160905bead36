"""An echo server with a thread for each client: nobody waits for another."""

import socket
import sys
import threading

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5566))
server.listen(10)
print("listening on port", server.getsockname()[1], flush=True)


def serve(client):
    with client:
        while True:
            data = client.recv(4096)
            if not data:
                break
            client.sendall(data)


try:
    while True:
        client, address = server.accept()
        # A daemon: Ctrl+C does not wait for clients that stay.
        threading.Thread(target=serve, args=(client,), daemon=True).start()
except KeyboardInterrupt:
    print("closed")
