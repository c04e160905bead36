"""Child processes: each one's output and status is right, and none is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from asyncio.subprocess import DEVNULL, PIPE, Process

from ..step import Step, operation


async def _ended(step: Step, process: Process, *right: int) -> None:
    status = await process.wait()
    if not step.native and sys.version_info < (3, 12):
        right += (255,)  # kill() looks whether the child lives, and may so reap it
    step.check(status in right, f"child {process.pid}: status {status}, not {right}")


@operation(2)
async def child_with_a_status(step: Step) -> None:
    code, expected = step.rng.randrange(256), step.expect("child")
    if step.chance(0.5):
        process = await asyncio.create_subprocess_exec("/bin/sh", "-c", f"exit {code}")
    else:
        process = await asyncio.create_subprocess_shell(f"exit {code}", stdin=DEVNULL)
    await _ended(step, process, code)
    expected.ran()


@operation(2)
async def child_that_echoes(step: Step) -> None:
    data, expected = (
        step.rng.randbytes(step.rng.choice((0, 1, 5000, 300_000))),
        step.expect("child"),
    )
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE, stderr=PIPE)
    output, errors = await process.communicate(data)
    step.check(output == data and errors == b"", f"{len(output)} of {len(data)} bytes back")
    await _ended(step, process, 0)
    expected.ran()


@operation(2)
async def child_that_is_killed(step: Step) -> None:
    expected = step.expect("child")
    process = await asyncio.create_subprocess_exec("sleep", "60", stdout=PIPE)
    await asyncio.sleep(step.rng.choice((0, 0.001, 0.01)))
    number = step.rng.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
    if number == signal.SIGKILL:
        process.kill()
    elif number == signal.SIGTERM:
        process.terminate()
    else:
        process.send_signal(number)
    output, _ = await process.communicate()
    step.check(output == b"", f"sleep wrote {output!r}")
    await _ended(step, process, -number)
    expected.ran()


@operation(1)
async def children_at_once(step: Step) -> None:
    async def one(code: int) -> None:
        expected = step.expect("child")
        process = await asyncio.create_subprocess_shell(f"echo {code}; exit {code}", stdout=PIPE)
        output, _ = await process.communicate()
        step.check(output == b"%d\n" % code, f"child {code} wrote {output!r}")
        await _ended(step, process, code)
        expected.ran()

    await asyncio.gather(*(one(step.rng.randrange(100)) for _ in range(5)))


@operation(1)
async def communicate_cancelled(step: Step) -> None:
    expected = step.expect("child")
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    talk = asyncio.ensure_future(process.communicate(bytes(500_000)))
    await asyncio.sleep(step.rng.choice((0, 0, 0.0005, 0.003)))
    if talk.cancel():
        await asyncio.gather(talk, return_exceptions=True)
        if process.returncode is None:
            process.kill()
        await process.communicate()  # without it, wait() may wait for a paused pipe
    else:
        await talk
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await process.stdin.wait_closed()  # asyncio up to 3.11.2 reports what nobody took
    await _ended(step, process, -signal.SIGKILL, 0)
    expected.ran()


@operation(1)
async def creation_cancelled(step: Step) -> None:
    expected = step.expect("child's creation")

    async def create() -> None:
        process = await asyncio.create_subprocess_exec("true", stdout=PIPE)
        await process.communicate()
        await _ended(step, process, 0)

    creation = asyncio.ensure_future(create())
    await step.turns(step.rng.randrange(8))
    await asyncio.sleep(step.rng.choice((0, 0.001, 0.003, 0.01)))
    if creation.cancel():
        expected.cancelled()
    result = (await asyncio.gather(creation, return_exceptions=True))[0]
    if expected.state == "coming":
        expected.ran()
    right = result is None or isinstance(result, asyncio.CancelledError)
    step.check(right, f"creation gave {result!r}")
    await asyncio.sleep(0.02)


@operation(1)
async def execution_fails(step: Step) -> None:
    program, error = step.rng.choice(
        (("/no/such/program", FileNotFoundError), ("/tmp", PermissionError))
    )
    expected = step.expect("exec failure", program)
    try:
        await asyncio.create_subprocess_exec(program, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    except error:
        expected.ran()
    where = step.expect("exec failure", "folder")
    try:
        await asyncio.create_subprocess_exec("true", cwd="/no/such/folder", stdout=PIPE)
    except FileNotFoundError:
        where.ran()


@operation(1)
async def child_reaped_by_somebody_else(step: Step) -> None:
    expected, code = step.expect("child"), step.rng.randrange(1, 200)
    process = await asyncio.create_subprocess_shell(f"read line; exit {code}", stdin=PIPE)
    statuses: list[int | None] = []

    def reap() -> None:
        try:
            statuses.append(os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1]))
        except ChildProcessError:  # the loop was faster
            statuses.append(None)

    thief = threading.Thread(target=reap)
    thief.start()
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.close()
    # 255 is what asyncio says of a child whose status somebody else has.
    await _ended(step, process, code, 255)
    while thief.is_alive():
        await asyncio.sleep(0.001)
    thief.join()
    step.check(statuses in ([code], [None]), f"the other one saw {statuses}")
    if statuses == [None]:
        step.check(process.returncode == code, f"nobody saw {code}")
    expected.ran()


@operation(1)
async def pipes_of_a_child_by_lines(step: Step) -> None:
    expected = step.expect("child")
    process = await asyncio.create_subprocess_shell(
        "while read line; do echo got $line; done", stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    for i in range(step.rng.randrange(1, 10)):
        process.stdin.write(b"%d\n" % i)
        await process.stdin.drain()
        line = await process.stdout.readline()
        step.check(line == b"got %d\n" % i, f"child wrote {line!r} for {i}")
    process.stdin.close()
    step.check(await process.stdout.read() == b"", "child wrote more")
    await _ended(step, process, 0)
    expected.ran()
