"""Libraries of today in a process that has asyncio's old names and our loop, under `run`."""

import importlib.util

import pytest
from running import run

PROGRAMS = {
    "aiohttp": """
        import asyncio
        import aiohttp
        from aiohttp import web

        async def hello(request):
            await asyncio.sleep(0.001)
            return web.json_response({"name": request.match_info["name"]})

        async def chat(request):
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                await socket.send_str(message.data.upper())
            return socket

        async def main():
            app = web.Application()
            app.router.add_get("/hello/{name}", hello)
            app.router.add_get("/chat", chat)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            url = "http://127.0.0.1:%d" % runner.addresses[0][1]
            async with aiohttp.ClientSession() as session:
                answers = await asyncio.gather(*(ask(session, url, name) for name in "abc"))
                async with session.ws_connect(url + "/chat") as socket:
                    await socket.send_str("hello")
                    answers.append((await socket.receive(timeout=30)).data)
            await runner.cleanup()
            return answers

        async def ask(session, url, name):
            timeout = aiohttp.ClientTimeout(total=30)
            async with session.get(url + "/hello/" + name, timeout=timeout) as response:
                return (await response.json())["name"]

        assert asyncio.run(main()) == ["a", "b", "c", "HELLO"]
        loop = asyncio.get_event_loop()
        assert loop.run_until_complete(main()) == ["a", "b", "c", "HELLO"]
    """,
    "anyio": """
        import anyio

        async def main():
            send, receive = anyio.create_memory_object_stream(1)

            async def produce():
                async with send:
                    for number in range(3):
                        await send.send(number)

            async with anyio.create_task_group() as group:
                group.start_soon(produce)
                numbers = [number async for number in receive]
                group.cancel_scope.cancel()
            with anyio.move_on_after(0.001) as scope:
                await anyio.sleep_forever()
            return numbers, scope.cancelled_caught, await anyio.to_thread.run_sync(divmod, 7, 3)

        assert anyio.run(main) == ([0, 1, 2], True, (2, 1))
    """,
    "websockets": """
        import asyncio
        from websockets.asyncio.client import connect
        from websockets.asyncio.server import serve

        async def echo(socket):
            async for message in socket:
                await socket.send(message)

        async def main():
            async with serve(echo, "127.0.0.1", 0) as server:
                port = next(iter(server.sockets)).getsockname()[1]
                async with connect("ws://127.0.0.1:%d" % port) as client:
                    await client.send("hello")
                    return await client.recv()

        assert asyncio.get_event_loop().run_until_complete(main()) == "hello"
    """,
    "aiosqlite": """
        import asyncio
        import aiosqlite

        async def main():
            async with aiosqlite.connect(":memory:") as database:
                cursor = await database.execute("select 40 + 2")
                return await cursor.fetchone()

        assert asyncio.run(main()) == (42,)
    """,
    "pytest": """
        import os
        import sys
        import tempfile
        import pytest

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "test_old.py")
            with open(path, "w") as file:
                file.write('''
        import asyncio

        @asyncio.coroutine
        def double(x):
            yield from asyncio.sleep(0, loop=asyncio.get_event_loop())
            return 2 * x

        def test_double(capsys, monkeypatch, tmp_path):
            loop = asyncio.get_event_loop()
            assert loop.run_until_complete(double(2)) == 4

        def test_that_fails():
            assert asyncio.iscoroutinefunction(test_double)
        '''.replace("\\n        ", "\\n"))
            plugins = ["-p", "no:cacheprovider", "-p", "no:pyasync_hw.testing.plugin"]
            assert pytest.main([path, "-q", "--rootdir", folder, *plugins]) == 1
    """,
}


def check(library, program):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    status, out, err = run("--shims", "none", program(PROGRAMS[library]))
    assert (status, err) == (0, "")
    return out


def test_aiohttp_works_as_before(program):
    check("aiohttp", program)


def test_pytest_works_as_before(program):
    assert "1 failed, 1 passed" in check("pytest", program)


@pytest.mark.parametrize("library", sorted({*PROGRAMS} - {"aiohttp", "pytest"}))
def test_others_work_as_before(library, program):
    check(library, program)
