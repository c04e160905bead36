"""An event loop by hand: tasks are generators, and what they yield is what they wait for."""

from collections import deque
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector


class Loop:
    def __init__(self):
        self.selector = DefaultSelector()
        self.ready = deque()

    def create_task(self, task):
        self.ready.append(task)

    def run_forever(self):
        while True:
            while self.ready:
                self.step(self.ready.popleft())
            for key, mask in self.selector.select():
                self.selector.unregister(key.fileobj)
                self.ready.append(key.data)

    def step(self, task):
        try:
            what, sock = next(task)
        except StopIteration:
            return
        self.selector.register(sock, what, task)

    # To be called by `yield from`.

    def accept(self, server):
        yield EVENT_READ, server
        client, address = server.accept()
        client.setblocking(False)
        return client

    def recv(self, client):
        yield EVENT_READ, client
        return client.recv(4096)

    def sendall(self, client, data):
        while data:
            yield EVENT_WRITE, client
            data = data[client.send(data) :]
