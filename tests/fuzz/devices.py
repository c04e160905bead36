"""Verbs on a simulated board: lines, SPI, the reader."""

from __future__ import annotations

from typing import Any

from pyasync_hw import gpio, i2c, rc522, sim, spi

from . import hostile, values
from .loops import loop_of
from .world import World, verb

PINS = ("GPIO17", "GPIO27", "GPIO4")


def board_of(world: World) -> Any:
    board = world.pick("board")
    return board if board is not None else make_board(world)


@verb(0.6)
def make_board(world: World) -> Any:
    board = sim.Board("pi-zero-w", clock=world.pick("clock") if world.chance(0.6) else None)
    world.remember("board", board)
    world.keep("chip", board.attach_rc522())
    return board


@verb(2)
def open_line(world: World) -> None:
    pin = world.rng.choice(PINS) if world.chance(0.95) else values.value(world)
    board = board_of(world)
    if world.chance(0.2):
        world.remember("line", gpio.Output(pin, board=board))
    else:
        bias = world.rng.choice(("pull_up", "as_is"))
        world.remember("line", gpio.Input(pin, bias=bias, board=board))


@verb(4, threads=True)
def drive(world: World) -> None:
    board = world.pick("board")
    if board is not None:
        at = world.rng.choice((None, None, board.time() + 0.001))
        board.line(world.rng.choice(PINS)).drive(world.rng.randrange(2), at=at)


@verb(4)
def use_line(world: World) -> None:
    line = world.pick("line")
    if line is None:
        return
    loop, core = loop_of(world), line._core
    kind = world.rng.randrange(12)
    if kind < 3:
        world.keep(
            "task", loop.create_task(line.wait_for_edge(world.rng.choice(("both", "falling"))))
        )
    elif kind == 3:
        world.keep("future", core.arm(loop if world.chance(0.8) else hostile.hostile(world)))
    elif kind == 4:
        core.disarm(world.pick("future"))
    elif kind == 5:
        line.blocking.wait_for_edge(timeout=0.0005, token=world.pick("token"))
    elif kind == 6:
        world.keep("edges", line.edges(maxlen=2))
    elif kind == 7:
        core.use_loop(loop if world.chance(0.8) else hostile.hostile(world))
    elif kind == 8:
        core.take(), core.get(world.rng.randrange(3))
    elif kind == 9:
        core.collect(world.pick("future"))
    elif kind == 10:
        next(line.blocking.edges(2, timeout=0.0005, token=world.pick("token")))
    else:
        core.set(values.value(world), values.value(world))


@verb(1)
def open_pwm(world: World) -> None:
    pin = world.rng.choice(PINS) if world.chance(0.9) else values.value(world)
    # Slow, for nobody knows how far a virtual clock is going to jump.
    frequency = world.rng.choice((0.5, 0.01)) if world.chance(0.9) else 0.001
    options = {"realtime": world.chance(0.1), "active_low": world.chance(0.2)}
    world.remember("pwm", gpio.PWM(pin, frequency, duty=0.5, board=board_of(world), **options))


@verb(3)
def use_pwm(world: World) -> None:
    pwm = world.pick("pwm")
    if pwm is None:
        return
    kind = world.rng.randrange(8)
    if kind == 0:
        pwm.start()
    elif kind == 1:
        pwm.stop()
    elif kind == 2:
        pwm.duty = world.rng.choice((0, 0.25, 1, values.value(world)))
    elif kind == 3:
        pwm._core.start(values.value(world), values.value(world))
    elif kind == 4:
        pwm._core.use_loop(loop_of(world) if world.chance(0.8) else hostile.hostile(world))
    elif kind == 5:
        pwm.close()
    elif kind == 6:
        _ = pwm.jitter, pwm.made_by, pwm.realtime
    else:
        repr(pwm), pwm.change(frequency=0.1, duty=0.75)


@verb(1)
def use_edges(world: World) -> None:
    edges = world.pick("edges")
    if edges is not None:
        if world.chance(0.2):
            edges.close()
        world.keep("task", loop_of(world).create_task(anext(edges)))


@verb(1)
def close_line(world: World) -> None:
    line = world.pick("line")
    if line is not None:
        line.close()


def settings(world: World) -> Any:
    edges = world.rng.choice(("both", "falling", "none", values.value(world)))
    bias = world.rng.choice(("pull_up", "as_is"))
    return gpio.LineSettings(direction="input", edge_detection=edges, bias=bias)


@verb(1)
def open_request(world: World) -> None:
    lines = {world.rng.choice(PINS): settings(world) for _ in range(3)}
    request = gpio.request_lines("gpiochip0", lines, board=board_of(world))
    world.remember("request", request)


@verb(3)
def use_request(world: World) -> None:
    request, loop = world.pick("request"), loop_of(world)
    if request is None:
        return
    blocking = request.blocking
    kind = world.rng.randrange(11)
    if kind < 3:
        wait = world.rng.choice((request.next_event, request.wait_edge_events))
        world.keep("task", loop.create_task(wait()))
    elif kind == 3:
        world.keep("edges", request.events(maxlen=2))
    elif kind == 4:
        blocking.read_edge_events(timeout=0.0005, token=world.pick("token"))
    elif kind == 5:
        blocking.wait_edge_events(values.seconds(world), world.pick("token"))
    elif kind == 6:
        request.reconfigure_lines({world.rng.choice(request.lines): settings(world)})
    elif kind == 7:
        request.get_values(), request.read_edge_events(values.value(world))
    elif kind == 8:
        request.set_values({values.value(world): values.value(world)})
    elif kind == 9:
        request._core.config([settings(world) for _ in range(world.rng.randrange(4))])
    else:
        request.close()


@verb(0.6)
def open_chip(world: World) -> None:
    chip = gpio.Chip("gpiochip0", board=board_of(world))
    world.remember("gpiochip", chip)
    chip.watch_line_info(world.rng.choice((17, 27)))


@verb(3)
def use_chip(world: World) -> None:
    chip, loop = world.pick("gpiochip"), loop_of(world)
    if chip is None:
        return
    core = chip._core
    kind = world.rng.randrange(10)
    if kind < 3:
        world.keep("task", loop.create_task(chip.next_info_event()))
    elif kind == 3:
        chip.watch_line_info(world.rng.choice((17, 27, values.value(world))))
    elif kind == 4:
        chip.unwatch_line_info(world.rng.choice((17, 27, values.value(world))))
    elif kind == 5:
        chip.blocking.next_info_event(timeout=0.0005, token=world.pick("token"))
    elif kind == 6:
        world.keep("future", core.arm(loop if world.chance(0.8) else hostile.hostile(world)))
    elif kind == 7:
        core.disarm(world.pick("future"))
    elif kind == 8:
        core.take(), core.use_loop(loop if world.chance(0.8) else hostile.hostile(world))
    else:
        chip.close()


@verb(1)
def open_button_or_led(world: World) -> None:
    pin, board = world.rng.choice(PINS), board_of(world)
    if world.chance(0.5):
        world.remember("button", gpio.Button(pin, hold_time=values.seconds(world), board=board))
    else:
        world.remember("led", gpio.LED(pin, safe=world.rng.choice((None, 0, 1)), board=board))


@verb(2)
def use_button(world: World) -> None:
    button, loop = world.pick("button"), loop_of(world)
    if button is None:
        return
    kind = world.rng.randrange(6)
    if kind < 2:
        waits = button.wait_for_press, button.wait_for_hold, button.wait_for_double_click
        world.keep("task", loop.create_task(world.rng.choice(waits)()))
    elif kind == 2:
        world.keep("presses", button.events(maxlen=2))
    elif kind == 3:
        callback = values.callback(world)
        world.keep("task", loop.create_task(called(button.on, "pressed", callback)))
    elif kind == 4:
        presses = world.pick("presses")
        if presses is not None:
            world.keep("task", loop.create_task(anext(presses)))
            if world.chance(0.3):
                presses.close()
    else:
        button.close()


@verb(2)
def use_led(world: World) -> None:
    led, loop = world.pick("led"), loop_of(world)
    if led is None:
        return
    kind = world.rng.randrange(4)
    if kind < 2:
        work = world.rng.choice((led.blink, led.pulse))
        times = values.seconds(world), values.seconds(world), world.rng.choice((1, 2, None))
        world.keep("task", loop.create_task(called(work, *times)))
    elif kind == 2:
        world.rng.choice((led.on, led.off, led.toggle))()
    else:
        led.close()


async def called(function: Any, *args: Any) -> Any:
    return function(*args)


class Echo:
    """A part of an I2C bus that does things in the midst of a message."""

    def __init__(self, world: World) -> None:
        self.world = world

    def write(self, data: bytes) -> Any:
        return hostile.behave(self.world, None)

    def read(self, n: int) -> Any:
        return hostile.behave(self.world, bytes(n))


def bytes_or_anything(world: World) -> Any:
    data: Any = world.rng.choice((b"\xee\x00", bytes(30), bytes(500), 3))
    return data if world.chance(0.9) else values.value(world)


async def locked(lock: Any, verb: Any, world: World) -> None:
    async with lock:
        await verb(bytes_or_anything(world))


@verb(2)
def use_spi(world: World) -> None:
    device = world.pick("device")
    if device is None:
        name = world.rng.choice(("spi0.0", "spi0.1"))
        device = world.remember("device", spi.Device(name, board=board_of(world)))
    loop = loop_of(world)
    kind = world.rng.randrange(9)
    if kind == 0:
        device.blocking.transfer(b"\xee\x00")
    elif kind == 1:
        device.blocking.message([spi.Transfer(b"\xee\x00", cs_change=True), values.value(world)])
    elif kind == 2:
        device.speed_hz = world.rng.choice((10**6, 10**7, values.value(world)))
    elif kind == 3:
        device.core.message(values.value(world))
    elif kind < 6:
        world.keep("task", loop.create_task(device.transfer(bytes_or_anything(world))))
    elif kind == 6:
        world.keep("task", loop.create_task(locked(device.lock(), device.transfer, world)))
    elif kind == 7:
        use_message(world, device.core, [bytes_or_anything(world)])
    else:
        device.close()


def use_message(world: World, core: Any, content: Any) -> None:
    """What turns.py does, in any order."""
    message = core.hold() if world.chance(0.3) else core.begin(content)
    message = world.keep("bus message", message)
    for _ in range(world.rng.randrange(4)):
        other = world.pick("bus message")
        verb = world.rng.randrange(5)
        if verb == 0:
            other.enter(loop_of(world) if world.chance(0.8) else values.value(world))
        elif verb == 1:
            other.send()
        elif verb == 2:
            other.check()
        else:
            other.leave()


@verb(2)
def use_i2c(world: World) -> None:
    sensor = world.pick("sensor")
    if sensor is None:
        board = board_of(world)
        if world.chance(0.7):
            board.attach_i2c(1, 0x20, Echo(world))
        sensor = world.remember("sensor", i2c.Device(1, 0x20, board=board))
    loop = loop_of(world)
    kind = world.rng.randrange(8)
    if kind == 0:
        sensor.blocking.write_read(b"ab", 2)
    elif kind == 1:
        sensor.blocking.transfer(values.value(world))
    elif kind < 4:
        content = [bytes_or_anything(world), bytes_or_anything(world)]
        world.keep("task", loop.create_task(sensor.transfer(content)))
    elif kind == 4:
        world.keep("task", loop.create_task(locked(sensor.bus.lock(), sensor.write, world)))
    elif kind == 5:
        core = sensor.bus.blocking.core
        core.on_silence = values.value(world) if world.chance(0.5) else None
        core.smbus(0x20, world.chance(0.5), 1, world.rng.randrange(10), bytes_or_anything(world))
    elif kind == 6:
        use_message(world, sensor.bus.blocking.core, [(0x20, bytes_or_anything(world))])
    else:
        sensor.close()


@verb(0.6)
def open_reader(world: World) -> None:
    world.remember("reader", rc522.Reader(board=board_of(world)))


@verb(2)
def use_reader(world: World) -> None:
    reader, loop = world.pick("reader"), loop_of(world)
    if reader is None:
        return
    kind = world.rng.randrange(8)
    if kind < 3:
        world.keep("task", loop.create_task(reader.wait_for_tag()))
    elif kind == 3:
        reader.blocking.wait_for_tag(timeout=0.003, token=world.pick("token"))
    elif kind == 4:
        loop.run_until_complete(reader.open())
    elif kind == 5:
        reader.blocking.cancel()
    elif kind == 6:
        reader.close()
    else:
        world.keep("tasks", loop.create_task(reader.transceive(values.value(world))))


class HostileCard(sim.MifareClassic1K):
    _world: World | None = None


for _name in ("power_on", "receive", "noise", "authenticate", "command"):
    _inherited = getattr(sim.MifareClassic1K, _name, None)
    if callable(_inherited):

        def _method(self: Any, *args: Any, _inherited: Any = _inherited, **kwargs: Any) -> Any:
            result = _inherited(self, *args, **kwargs)
            return result if self._world is None else hostile.behave(self._world, result)

        setattr(HostileCard, _name, _method)


@verb(2)
def move_card(world: World) -> None:
    chip = world.pick("chip")
    if chip is None:
        return
    card = world.pick("card")
    if card is None or world.chance(0.2):
        card = world.keep("card", HostileCard(uid=world.rng.choice(("a61d227e", "01020304"))))
        card._world = world if world.chance(0.5) else None
    if world.chance(0.5):
        chip.present(card)
    else:
        chip.remove(card)


@verb(0.4)
def close_board(world: World) -> None:
    board = world.pick("board")
    if board is not None:
        board.close()


@verb(0.3)
def use_board(world: World) -> None:
    board = board_of(world)
    with board:
        world.act()
    repr(board)
