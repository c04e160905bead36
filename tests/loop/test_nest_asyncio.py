"""nest_asyncio on our loops: runs nest as they do on asyncio's, and what is not nested goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("nest_asyncio", reason="nest_asyncio is not installed")

HEAD = """
import asyncio, sys, threading, warnings
import nest_asyncio, pyasync_hw
warnings.simplefilter("ignore", DeprecationWarning)

def new_loop():
    if sys.argv[1] == "pyasync_hw":
        return pyasync_hw.new_event_loop()
    return asyncio.SelectorEventLoop()

async def inner(value="inner", delay=0.001):
    await asyncio.sleep(delay)
    return value

async def several():
    return await asyncio.gather(inner(1), inner(2, 0.002), asyncio.to_thread(lambda: 3))

loop = new_loop()
asyncio.set_event_loop(loop)
"""

PROGRAMS = {
    "applied inside the run": """
async def main():
    nest_asyncio.apply()
    task = asyncio.current_task()
    results = [loop.run_until_complete(inner()), loop.run_until_complete(several())]
    assert asyncio.current_task() is task
    await asyncio.sleep(0.001)
    return results
print(loop.run_until_complete(main()))
print(loop.run_until_complete(inner()))
""",
    "applied before the run": """
nest_asyncio.apply(loop)
async def main():
    return loop.run_until_complete(several()), await inner()
print(loop.run_until_complete(main()), loop.run_until_complete(several()))
""",
    "asyncio.run() nested, and after": """
nest_asyncio.apply()
async def deep(levels):
    await asyncio.sleep(0)
    return levels if levels == 0 else asyncio.run(deep(levels - 1)) + 1
async def main():
    return asyncio.run(deep(5)), await inner()
print(asyncio.run(main()), asyncio.run(several()))
""",
    "others go on during a nested run": """
nest_asyncio.apply()
seen = []
async def other():
    for i in range(3):
        seen.append(i)
        await asyncio.sleep(0)
async def main():
    task = asyncio.create_task(other())
    loop.call_soon(seen.append, "soon")
    loop.call_later(0.001, seen.append, "later")
    threading.Thread(target=loop.call_soon_threadsafe, args=(seen.append, "thread")).start()
    loop.run_until_complete(inner(delay=0.05))
    assert task.done()
    return sorted(map(str, seen))
print(loop.run_until_complete(main()))
""",
    "errors and cancelling inside": """
nest_asyncio.apply()
async def fail():
    await asyncio.sleep(0)
    raise LookupError("inside")
async def main():
    try:
        loop.run_until_complete(fail())
    except LookupError as error:
        said = str(error)
    task = loop.create_task(asyncio.sleep(60))
    loop.call_later(0.001, task.cancel)
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        said += ", cancelled"
    return said
print(loop.run_until_complete(main()), loop.run_until_complete(inner()))
""",
    "streams and a child inside": """
nest_asyncio.apply()
async def echo():
    async def serve(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"line\\n")
    line = await reader.readline()
    writer.close()
    server.close()
    return line
async def child():
    process = await asyncio.create_subprocess_exec("echo", "child", stdout=-1)
    return (await process.communicate())[0]
async def main():
    return loop.run_until_complete(echo()), loop.run_until_complete(child())
print(loop.run_until_complete(main()))
""",
    "a loop of the policy": """
if sys.argv[1] == "pyasync_hw":
    pyasync_hw.install()
asyncio.set_event_loop(None)
policy_loop = asyncio.new_event_loop()
asyncio.set_event_loop(policy_loop)
nest_asyncio.apply()
async def main():
    return policy_loop.run_until_complete(inner())
print(policy_loop.run_until_complete(main()), asyncio.run(several()))
policy_loop.close()
""",
    "run_forever nested": """
nest_asyncio.apply()
async def main():
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    return await inner()
try:
    print(loop.run_until_complete(main()))
except RuntimeError as error:
    print(error)
print(loop.run_until_complete(inner()))
""",
    "another loop of the class, and of asyncio's": """
nest_asyncio.apply()
other = new_loop()
async def main():
    return await inner()
print(other.run_until_complete(main()), loop.run_until_complete(main()))
other.close()
plain = asyncio.SelectorEventLoop()
print(plain.run_until_complete(main()))
plain.close()
""",
    "a subclass": """
class Sub(type(loop)):
    pass
sub = Sub()
asyncio.set_event_loop(sub)
nest_asyncio.apply()
async def main():
    return sub.run_until_complete(several())
print(sub.run_until_complete(main()))
sub.close()
print(loop.run_until_complete(inner()))
""",
    "our run()": """
async def main():
    nest_asyncio.apply()
    return asyncio.get_running_loop().run_until_complete(inner())
def run(coroutine):
    if sys.argv[1] == "pyasync_hw":
        return pyasync_hw.run(coroutine)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(coroutine)
print(run(main()), run(inner()))
""",
    "the runner": """
nest_asyncio.apply()
async def main():
    running = asyncio.get_running_loop()
    return running.run_until_complete(inner())
with asyncio.Runner(loop_factory=new_loop) as runner:
    runner.get_loop()
    print(runner.run(inner()))
""",
}


def run(which: str, program: str) -> tuple[int, str, str]:
    code = HEAD + program + "\nloop.close()\n"
    done = subprocess.run(
        [sys.executable, "-c", code, which], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout, done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_on_asyncios_loop(name: str) -> None:
    right = run("asyncio", PROGRAMS[name])
    assert run("pyasync_hw", PROGRAMS[name]) == right
    if sys.version_info < (3, 14):  # which nest_asyncio does not know
        assert (right[0], right[2]) == (0, "")
