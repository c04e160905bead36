"""Descriptors: what is written is read, and nobody is called who has gone."""

from __future__ import annotations

import asyncio
import os
import socket

from ..account import Expectation
from ..step import Step, operation


class PipeReader:
    """Reads a pipe by add_reader() until its end."""

    def __init__(self, step: Step, fd: int) -> None:
        self.step = step
        self.fd = fd
        self.data = bytearray()
        self.done = step.loop.create_future()
        step.loop.add_reader(fd, self._readable)

    def _readable(self) -> None:
        try:
            chunk = os.read(self.fd, 1000)
        except BlockingIOError:
            return
        if chunk:
            self.data += chunk
        else:
            self.step.check(self.step.loop.remove_reader(self.fd), "reader was not there")
            self.done.set_result(None)


@operation(3)
async def pipe(step: Step) -> None:
    expected = step.expect("pipe")
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    reader = PipeReader(step, read_fd)
    data = step.rng.randbytes(step.rng.choice((1, 100, 200_000)))
    left, written = memoryview(data), step.loop.create_future()

    def writable() -> None:
        nonlocal left
        try:
            left = left[os.write(write_fd, left[:50_000]) :]
        except BlockingIOError:
            return
        if not left:
            step.loop.remove_writer(write_fd)
            written.set_result(None)

    step.loop.add_writer(write_fd, writable)
    await written
    step.check(not step.loop.remove_writer(write_fd), "the writer was there twice")
    os.close(write_fd)
    await reader.done
    os.close(read_fd)
    step.check(reader.data == data, f"{len(reader.data)} of {len(data)} bytes came")
    expected.ran()


@operation(2)
async def reader_and_writer_of_one_socket(step: Step) -> None:
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        readable = step.loop.create_future()
        writable = step.loop.create_future()
        expected: list[Expectation] = [step.expect("reader"), step.expect("writer")]

        def read() -> None:
            step.loop.remove_reader(left)
            expected[0].ran()
            readable.set_result(left.recv(10))

        def write() -> None:
            step.loop.remove_writer(left)
            expected[1].ran()
            writable.set_result(None)

        step.loop.add_reader(left, read)
        step.loop.add_writer(left, write)
        await writable
        step.check(not readable.done(), "the reader was called with nothing to read")
        right.send(b"x")
        step.check(await readable == b"x", "another byte came")


@operation(2)
async def reader_replaced(step: Step) -> None:
    left, right = socket.socketpair()
    with left, right:
        done = step.loop.create_future()
        first, second = step.expect("reader", "first"), step.expect("reader", "second")

        def read() -> None:
            step.loop.remove_reader(left)
            second.ran()
            done.set_result(None)

        step.loop.add_reader(left, first.ran)
        step.loop.add_reader(left, read)
        first.cancelled()
        right.send(b"x")
        await done


@operation(2)
async def descriptor_closed_and_used_again(step: Step) -> None:
    loop = step.loop
    for _ in range(step.rng.randrange(1, 8)):
        gone, done = step.expect("reader", "of a closed one"), loop.create_future()
        read_fd, write_fd = os.pipe()
        loop.add_reader(read_fd, gone.ran)
        gone.cancelled()
        if step.chance(0.3):  # readable when it goes
            os.write(write_fd, b"x")
        step.check(loop.remove_reader(read_fd), "the reader was not there")
        os.close(read_fd)
        os.close(write_fd)
        # The kernel gives the lowest free number: most likely the same again.
        left, right = socket.socketpair()
        with left, right:
            expected = step.expect("reader", f"{left.fileno()}, was {read_fd}")

            def read(
                left: socket.socket, expected: Expectation, done: asyncio.Future[bytes]
            ) -> None:
                step.loop.remove_reader(left)
                expected.ran()
                done.set_result(left.recv(5))

            loop.add_reader(left, read, left, expected, done)
            right.send(b"again")
            step.check(await done == b"again", "other bytes came")


@operation(1)
async def descriptor_closed_before_it_was_removed(step: Step) -> None:
    gone = step.expect("reader", "of a closed one")
    read_fd, write_fd = os.pipe()
    step.loop.add_reader(read_fd, gone.ran)
    gone.cancelled()
    os.close(read_fd)
    os.close(write_fd)
    step.loop.remove_reader(read_fd)
    await step.turns(2)


@operation(2)
async def socket_operations(step: Step) -> None:
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        expected = step.expect("sock_sendall")
        data = step.rng.randbytes(step.rng.choice((1, 1000, 400_000)))

        async def receive() -> bytes:
            got = bytearray()
            while len(got) < len(data):
                got += await step.loop.sock_recv(right, 65536)
            return bytes(got)

        _, got = await asyncio.gather(step.loop.sock_sendall(left, data), receive())
        step.check(got == data, f"{len(got)} of {len(data)} bytes came")
        expected.ran()
        waiter = asyncio.ensure_future(step.loop.sock_recv(right, 10))
        await step.turns(step.rng.randrange(3))
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        left.send(b"after")
        step.check(await step.loop.sock_recv(right, 10) == b"after", "a cancel took bytes")
