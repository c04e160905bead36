"""Child processes: started and waited for."""

from __future__ import annotations

import asyncio

from .case import Loop, Sample, Stopwatch, case

AT_ONCE = 6


async def child() -> None:
    process = await asyncio.create_subprocess_exec("/bin/true")
    status = await process.wait()
    if status:
        raise RuntimeError(f"/bin/true ended with {status}")


@case(6)
def subprocess_sequential(loop: Loop, count: int) -> Sample:
    async def main() -> Sample:
        await child()
        with Stopwatch() as watch:
            for _ in range(count):
                await child()
        return watch.per(count)

    return loop.run_until_complete(main())


@case(12)
def subprocess_at_once(loop: Loop, count: int) -> Sample:
    batches = max(1, count // AT_ONCE)

    async def main() -> Sample:
        await child()
        with Stopwatch() as watch:
            for _ in range(batches):
                await asyncio.gather(*[child() for _ in range(AT_ONCE)])
        return watch.per(batches * AT_ONCE)

    return loop.run_until_complete(main())
