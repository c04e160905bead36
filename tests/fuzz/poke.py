"""Verbs that call anything: every method and attribute of every object there is."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pyasync_hw
from pyasync_hw import _core

from . import hostile, values
from .world import World, verb

# What waits by design for what may never come, is half of another method, or reaches
# beyond this process.
_LEFT_OUT = """
__enter__ __exit__ __aenter__ run_forever run_until_complete _run_turns _run_forever_setup
_run_forever_cleanup __class__ __init_subclass__ __subclasshook__ create_connection
create_server create_datagram_endpoint create_unix_connection create_unix_server getaddrinfo
getnameinfo connect_accepted_socket connect_read_pipe connect_write_pipe sendfile start_tls
subprocess_exec subprocess_shell _make_read_pipe_transport _make_write_pipe_transport
_make_subprocess_transport _make_socket_transport _make_ssl_transport _make_datagram_transport
_ipaddr_info _create_server_getaddrinfo _ensure_resolved _getaddrinfo_debug _connect_sock
_start_serving _accept_connection _accept_connection2 _create_connection_transport
_make_legacy_ssl_transport _sendfile_native _sock_sendfile_native sock_sendfile
add_signal_handler _handle_signal _lend_timers __del__ __reduce__ __reduce_ex__ __getstate__
"""
LEFT_OUT = frozenset(_LEFT_OUT.split())

# What inherited code takes for granted; a value of another kind is its user's fault.
MEMBERS = ("_stopping", "_debug", "slow_callback_duration", "_current_handle")

_KINDS = """
loop handle half clock token executor call board line device reader chip edges watch
request gpiochip button led presses
"""
KINDS = _KINDS.split()


def target(world: World) -> Any:
    thing = world.pick(world.rng.choice(KINDS))
    inner = getattr(thing, "_core", None) or getattr(thing, "_pool", None)
    if inner is not None and world.chance(0.5):
        thing = inner
    return thing


@verb(12)
def call_anything(world: World) -> None:
    thing = target(world)
    if thing is None:
        return
    names = [name for name in dir(type(thing)) if name not in LEFT_OUT]
    name = world.rng.choice(names)
    world.note(f"{type(thing).__name__}.{name}")
    method = getattr(thing, name)
    if not callable(method):
        return
    arguments = [values.value(world) for _ in range(world.rng.choice((0, 0, 1, 1, 2, 3, 5)))]
    result = method(*arguments, **values.keywords(world))
    if inspect.iscoroutine(result):
        loop = world.pick("loop")
        if loop is None or world.chance(0.2):
            result.close()
        else:
            world.keep("task", loop.create_task(result))
    elif isinstance(result, (asyncio.Handle, _core.Handle)):
        world.keep("handle", result)
    elif isinstance(result, asyncio.Future):
        world.keep("future", result)


@verb(1)
def set_anything(world: World) -> None:
    thing = target(world)
    if isinstance(thing, pyasync_hw.EventLoop):
        setattr(thing, world.rng.choice(MEMBERS), values.value(world))
    elif thing is not None:
        name = world.rng.choice([name for name in dir(type(thing)) if name not in LEFT_OUT])
        world.note(f"{type(thing).__name__}.{name} =")
        if type(thing).__module__.startswith("pyasync_hw._core"):
            setattr(thing, name, values.value(world))


@verb(1)
def make_anything(world: World) -> None:
    """Every type of the extension module, made with anything."""
    kinds = [one for one in vars(_core).values() if isinstance(one, type)]
    kinds += [type(one) for kept in world.objects.values() for one in kept]
    kind = world.rng.choice([k for k in kinds if k.__module__.startswith("pyasync_hw")])
    if kind is not _core.Child:  # it would wait for anybody's child
        world.note(kind.__name__)
        world.keep("half", kind.__new__(kind, *[values.value(world) for _ in range(3)]))


@verb(1)
def compare_anything(world: World) -> None:
    thing, other = target(world), hostile.hostile(world)
    _ = thing == other, thing != values.value(world), repr(thing), hash(thing)
