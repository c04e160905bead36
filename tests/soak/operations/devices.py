"""Simulated devices in real time: edges and tags, waits of which are cancelled."""

from __future__ import annotations

import asyncio

from pyasync_hw import gpio, i2c, rc522, sim, spi

from ..step import Step, operation


@operation(1)
async def edges(step: Step) -> None:
    with sim.Board("pi-zero-w") as board, gpio.Input("GPIO17", bias="pull_up") as button:
        line = board.line("GPIO17")
        for number in range(1, step.rng.randrange(2, 30)):
            waiter = asyncio.ensure_future(button.wait_for_edge())
            expected = step.expect("edge", number)
            await step.turns(step.rng.randrange(2))
            if step.chance(0.3):  # a cancel loses nothing
                waiter.cancel()
                await asyncio.gather(waiter, return_exceptions=True)
                waiter = asyncio.ensure_future(button.wait_for_edge())
            line.drive(1 - number % 2)
            event = await waiter
            step.check(event.line_seqno == number, f"edge {event} instead of {number}")
            expected.ran()


@operation(1)
async def waves(step: Step) -> None:
    with sim.Board("pi-zero-w") as board:
        pins = step.rng.sample((17, 18, 22, 27), step.rng.randrange(1, 4))
        pwms = [gpio.PWM(pin, step.rng.choice((500, 2000)), duty=0.5) for pin in pins]
        with gpio.Input(4) as line:  # a wire from the first of them
            wire = board.attach(sim.Wire(pins[0], 4))
            expected = step.expect("edges of a wave", 3)
            for _ in range(3):
                await line.wait_for_edge()
            expected.ran()
        step.check(pwms[0].jitter.edges >= 1, f"{wire} carried edges, but {pwms[0].jitter}")
        for pwm in pwms:
            if step.chance(0.5):
                pwm.change(frequency=100, duty=step.rng.choice((0, 0.25, 1)))
            if step.chance(0.3):
                pwm.stop()
            pwm.close()
        levels = [board.line(pin).value for pin in pins[1:]]
        step.check(not any(levels), f"{pins} are {levels} when their waves have ended")


@operation(1)
async def edges_by_an_iterator(step: Step) -> None:
    with sim.Board("pi-zero-w") as board, gpio.Input("GPIO4", bias="pull_up") as button:
        count, line = step.rng.randrange(1, 12), board.line("GPIO4")
        expected = [step.expect("edge", i) for i in range(count)]
        events = button.edges()
        for number in range(count):
            line.drive(number % 2)
        for number in range(count):
            event = await anext(events)
            step.check(event.line_seqno == number + 1, f"edge {event}, not {number + 1}")
            expected[number].ran()
        await events.aclose()


@operation(1)
async def edges_of_several_lines(step: Step) -> None:
    both = gpio.LineSettings(direction="input", edge_detection="both", bias="pull_up")
    with sim.Board("pi-zero-w") as board, gpio.Chip("gpiochip0") as chip:
        chip.watch_line_info(27)
        with chip.request_lines({(17, 27): both}, consumer=step.name) as request:
            event = await chip.next_info_event()
            step.check(event.line_info.consumer == step.name[:31], f"{event} came")
            levels = {17: 1, 27: 1}
            for number in range(1, step.rng.randrange(2, 30)):
                waiter = asyncio.ensure_future(request.wait_edge_events())
                expected = step.expect("edge", number)
                await step.turns(step.rng.randrange(2))
                if step.chance(0.3):
                    waiter.cancel()
                pin = step.rng.choice((17, 27))
                levels[pin] = 1 - levels[pin]
                board.line(pin).drive(levels[pin])
                await asyncio.gather(waiter, return_exceptions=True)
                edge = await request.next_event()
                found = edge.line_offset, edge.global_seqno, edge.dropped
                step.check(found == (pin, number, 0), f"edge {edge} instead of {number}")
                expected.ran()
        event = await chip.next_info_event()
        step.check(event.event_type == "released", f"{event} came")


@operation(1)
async def button_and_light(step: Step) -> None:
    with (
        sim.Board("pi-zero-w") as board,
        gpio.Button("GPIO17", hold_time=60) as button,
        gpio.LED("GPIO27", safe=0) as light,
    ):
        count = step.rng.randrange(1, 10)
        expected = [step.expect("press", i) for i in range(count)]
        called = iter(expected)
        button.on("pressed", lambda: next(called).ran())
        events = button.events()
        blinking = light.blink(0.001, 0.001)
        for number in range(2 * count):
            board.line("GPIO17").drive(number % 2)
            event = await anext(events)
            while event.kind in ("clicked", "double_clicked"):
                event = await anext(events)
            step.check(event.kind == ("pressed", "released")[number % 2], f"{event} came")
            await step.turns(step.rng.randrange(3))
        while not all(one.state == "ran" for one in expected):
            await asyncio.sleep(0)
        if step.chance(0.5):
            blinking.cancel()
            await asyncio.wait([blinking])
            step.check(not light.is_lit, "a light is on after its blinking")


@operation(1)
async def tag_read_and_cancelled(step: Step) -> None:
    with sim.Board("pi-zero-w") as board:
        chip = board.attach_rc522()
        async with rc522.Reader() as reader:
            waiter = asyncio.ensure_future(reader.wait_for_tag())
            await asyncio.sleep(step.rng.choice((0, 0.001, 0.01)))
            if step.chance(0.7):
                waiter.cancel()
                await asyncio.gather(waiter, return_exceptions=True)
                waiter = asyncio.ensure_future(reader.wait_for_tag())
            expected = step.expect("tag")
            chip.present(sim.MifareClassic1K(uid="a61d227e"))
            tag = await waiter
            step.check(tag.uid.hex() == "a61d227e", f"tag {tag} came")
            expected.ran()


class Part:
    """What keeps the messages of a bus, by their first two bytes."""

    def __init__(self) -> None:
        self.log: list[bytes] = []

    def transfer(self, data: bytes) -> bytes:
        self.log.append(data[:2])
        return data

    def write(self, data: bytes) -> None:
        self.log.append(data[:2])

    def read(self, n: int) -> bytes:
        return bytes(n)


@operation(1)
async def turns_on_a_bus(step: Step) -> None:
    part = Part()
    with sim.Board("pi-zero-w") as board, spi.Device("spi0.0") as device, i2c.Device(1, 32) as chip:
        board.attach_spi(0, 0, part)
        board.attach_i2c(1, 32, part)
        on_spi = step.chance(0.5)
        send = device.transfer if on_spi else chip.write
        messages = [bytes([n, 77]) + bytes(step.rng.choice((0, 0, 300))) for n in range(10)]
        async with device.lock() if on_spi else chip.bus.lock():
            tasks = [asyncio.ensure_future(send(one)) for one in messages]
            expected = [step.expect("message", n) for n in range(10)]
            await step.turns(2)
            await send(b"ok")
            cancelled = {n for n in range(10) if step.chance(0.3)}
            for n in cancelled:
                tasks[n].cancel()
        await asyncio.wait(tasks)
        sent = [n for n in range(10) if n not in cancelled]
        step.check(part.log == [b"ok", *(bytes([n, 77]) for n in sent)], f"{part.log} was sent")
        for n, one in enumerate(expected):
            one.ran() if n in sent else one.cancelled()


@operation(1)
async def blocking_wait_in_a_job(step: Step) -> None:
    with sim.Board("pi-zero-w") as board, gpio.Input("GPIO22", bias="pull_up") as button:
        expected = step.expect("edge", "blocking")
        if step.shared.tokens:  # a cancel wakes the thread, and no edge is lost
            cancelled = asyncio.ensure_future(asyncio.to_thread(button.blocking.wait_for_edge))
            await asyncio.sleep(step.rng.choice((0, 0.002)))
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
        job = asyncio.ensure_future(asyncio.to_thread(button.blocking.wait_for_edge))
        await asyncio.sleep(step.rng.choice((0, 0.002)))
        board.line("GPIO22").drive(0)
        event = await job
        step.check(event.event_type == "falling", f"edge {event} came")
        expected.ran()
