"""os.fork() at any moment: the child may have loops of its own, not its parent's."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from typing import NoReturn

from ..step import Step, operation

WRONG, RAISED = 97, 98
PATIENCE = 60  # s


def _be_the_child(body: Callable[[], int]) -> NoReturn:
    """Never returns.  The account must not be used here: its lock may be held."""
    status = RAISED
    try:
        # The watchdog's thread is not here.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        faulthandler.register(signal.SIGALRM, chain=True)
        signal.alarm(PATIENCE)
        status = body()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _fork(body: Callable[[], int]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are other threads
        pid = os.fork()
    if pid == 0:
        _be_the_child(body)
    return pid


async def _status(step: Step, pid: int) -> int:
    """Wait for a child that the loop knows nothing of."""
    pidfd = os.pidfd_open(pid)
    ended = step.loop.create_future()

    def end() -> None:
        step.loop.remove_reader(pidfd)
        ended.set_result(None)

    step.loop.add_reader(pidfd, end)
    await ended
    os.close(pidfd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


async def _fork_and_check(step: Step, body: Callable[[], int]) -> None:
    expected = step.expect("forked child")
    if step.chance(0.5):
        pid = _fork(body)
    else:
        pids: list[int] = []
        thread = threading.Thread(target=lambda: pids.append(_fork(body)))
        thread.start()
        thread.join()
        pid = pids[0]
    status = await _status(step, pid)
    step.check(status == 0, f"the forked child {pid} ended with {status}")
    expected.ran()


@operation(1)
async def fork_with_a_loop_of_its_own(step: Step) -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        seen: list[int] = []
        for i in range(10):
            loop.call_soon(seen.append, i)
        loop.call_later(0.001, seen.append, 10)
        await asyncio.sleep(0.002)
        if await asyncio.to_thread(sum, (1, 2)) != 3:
            return WRONG
        process = await asyncio.create_subprocess_exec("/bin/sh", "-c", "exit 5")
        if await process.wait() != 5:
            return WRONG
        return 0 if seen == list(range(11)) else WRONG

    def body() -> int:
        with asyncio.Runner(loop_factory=step.new_loop) as runner:
            status = runner.run(main())
        gc.collect()
        return status

    await _fork_and_check(step, body)


@operation(1)
async def fork_and_touch_the_inherited_loop(step: Step) -> None:
    if not step.native:
        return
    loop = step.loop

    def body() -> int:
        touches: tuple[Callable[[], object], ...] = (
            lambda: loop.call_soon(int),
            lambda: loop.call_later(1, int),
            lambda: loop.call_soon_threadsafe(int),
            lambda: loop.add_reader(0, int),
            loop.run_forever,
        )
        for touch in touches:
            try:
                touch()
            except RuntimeError:
                continue
            return WRONG
        return 0

    await _fork_and_check(step, body)


@operation(1)
async def fork_and_drop_inherited_loops(step: Step) -> None:
    """What a child does with a loop does not reach the parent's."""
    if not step.native:  # asyncio's child takes its descriptors off the shared epoll
        return
    other = step.new_loop()
    read_fd, write_fd = os.pipe()
    seen: list[int] = []

    def see() -> None:
        seen.append(1)
        other.stop()

    other.add_reader(read_fd, see)
    by_close = step.chance(0.5)

    def body() -> int:
        if by_close:
            with contextlib.suppress(RuntimeError):
                other.close()
        gc.collect()
        return 0

    def turn() -> None:
        os.write(write_fd, b"x")
        other.run_forever()

    await _fork_and_check(step, body)
    await asyncio.wait_for(asyncio.to_thread(turn), 30)
    step.check(seen == [1], f"the parent's reader saw {seen}")
    other.close()
    os.close(read_fd)
    os.close(write_fd)
