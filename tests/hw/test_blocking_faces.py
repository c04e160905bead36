"""The blocking faces: whole, with the same words, and neither is taken for the other."""

from __future__ import annotations

import inspect
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import CancelToken, gpio, i2c, rc522, sim, spi, tags

UID = "a61d227e"
FACES = [
    (gpio.Input, gpio.BlockingInput),
    (gpio.EdgeIterator, gpio.BlockingEdgeIterator),
    (rc522.Reader, rc522.BlockingReader),
    (spi.Device, spi.BlockingDevice),
    (i2c.Bus, i2c.BlockingBus),
    (i2c.Device, i2c.BlockingDevice),
    (tags.Tag, tags.BlockingTag),
    (tags.MifareClassic, tags.BlockingMifareClassic),
]


def names(face: type) -> set[str]:
    return {name for name in dir(face) if not name.startswith("_")} - {
        "aclose",
        "spi",
        "name",
        "blocking",
    }


@pytest.mark.parametrize(("awaitable", "blocking"), FACES)
def test_what_one_has_the_other_has(awaitable: type, blocking: type) -> None:
    """With the same arguments, and those of a blocking wait."""
    assert names(awaitable) <= names(blocking) | {"uid", "atqa", "sak"}
    for name in names(awaitable):
        verb = getattr(awaitable, name)
        if inspect.isfunction(verb):
            own = inspect.signature(getattr(blocking, name)).parameters
            given = [(p.name, p.default) for p in inspect.signature(verb).parameters.values()]
            left = [(p.name, p.default) for p in own.values() if p.name not in ("timeout", "token")]
            assert [one for one in given if one[0] not in ("timeout", "token")] == left
    assert {"__enter__", "__exit__"} & set(dir(awaitable)) <= set(dir(blocking))


def test_a_tag_that_was_found_blocking(hw_board: sim.Board) -> None:
    door = hw_board.attach_rc522()
    door.present(sim.MifareClassic1K(uid=UID))
    with rc522.Reader().blocking as reader:
        for find in (lambda: reader.wait_for_tag(timeout=1), reader.select):
            tag = find()
            assert isinstance(tag, tags.BlockingMifareClassic)
            assert (tag.uid.hex(), tag.product, tag.blocks) == (UID, "MIFARE Classic 1K", 64)
            assert (tag.sak, repr(tag)) == (8, f"<BlockingMifareClassic {UID} MIFARE Classic 1K>")
            match tag:
                case tags.BlockingMifareClassic(uid):
                    assert uid == tag.uid
            tag.authenticate(4)
            tag.write(4, bytes(range(16)))
            assert tag.read(4) == bytes(range(16))
            assert tag.blocking is tag
            tag.halt()
            reader.request(wakeup=True)
        door.remove(at=hw_board.time() + 1)
        reader.wait_for_removal(tag, timeout=2)
    assert reader.closed


def test_edges_blocking(hw_board: sim.Board) -> None:
    line = hw_board.line(17)
    for i in range(4):
        line.drive(i % 2, at=1.0 + i)
    with gpio.Input(17, bias="pull_up").blocking as button:
        edges = button.edges(timeout=10)
        got = [edge.event_type for edge in itertools.islice(edges, 4)]
        assert got == ["falling", "rising", "falling", "rising"]
        assert button.value == 1
        with pytest.raises(TimeoutError):
            next(edges)
        edges.close()
        assert list(edges) == []
        token = CancelToken()
        token.cancel()
        with pytest.raises(CancelledError):
            next(button.edges(token=token))
    assert button.closed


def test_edges_blocking_that_another_thread_ends() -> None:
    with sim.Board() as board, gpio.Input(17, bias="pull_up") as button:
        edges = button.blocking.edges()
        got: list[str] = []

        def collect() -> None:
            got.extend(edge.event_type for edge in edges)

        thread = threading.Thread(target=collect)
        thread.start()
        board.line(17).drive(0)
        while not got:
            assert thread.is_alive()
        edges.close()
        thread.join(10)
        assert not thread.is_alive()
        assert got == ["falling"]


def test_one_form_names_the_other(hw_board: sim.Board) -> None:
    async def over(blocking: Any) -> None:
        async for _ in blocking:
            pass

    with gpio.Input(17) as button:
        with pytest.raises(TypeError, match=r"`for edge in line\.blocking\.edges\(\)`"):
            iter(button.edges())
        with pytest.raises(TypeError, match=r"`async for edge in line\.edges\(\)`"):
            pyasync_hw.run(over(button.blocking.edges()), clock=hw_board.clock)


DEVICES: dict[str, tuple[Callable[[], Any], str]] = {
    "input": (lambda: gpio.Input(17), "line 17 of pinctrl-bcm2835 is closed"),
    "output": (lambda: gpio.Output(17), "line 17 of pinctrl-bcm2835 is closed"),
    "blocking input": (lambda: gpio.Input(17).blocking, "line 17 of pinctrl-bcm2835 is closed"),
    "SPI device": (lambda: spi.Device("spi0.0"), "SPI device spi0.0 is closed"),
    "blocking SPI device": (lambda: spi.Device("spi0.0").blocking, "SPI device spi0.0 is closed"),
    "I2C bus": (lambda: i2c.Bus(1), "I2C bus i2c-1 is closed"),
    "blocking I2C bus": (lambda: i2c.BlockingBus(1), "I2C bus i2c-1 is closed"),
    "I2C device": (lambda: i2c.Device(1, 0x76), "I2C bus i2c-1 is closed"),
    "blocking I2C device": (lambda: i2c.Device(1, 0x76).blocking, "I2C bus i2c-1 is closed"),
    "reader": (lambda: rc522.Reader(), "RC522 reader spi0.0 is closed"),
    "blocking reader": (lambda: rc522.Reader().blocking, "RC522 reader spi0.0 is closed"),
}


@pytest.mark.parametrize("which", DEVICES)
def test_a_closed_device_stays_closed(hw_board: sim.Board, which: str) -> None:
    """`with` and `async with` say so, and which one it is."""
    hw_board.attach_rc522()
    make, text = DEVICES[which]

    async def main() -> None:
        device = make()
        if hasattr(device, "__aenter__"):
            async with device as same:
                assert same is device and not device.closed
        else:
            device.close()
        assert device.closed
        with pytest.raises(ValueError) as told, device:
            pass
        assert str(told.value) == text
        if hasattr(device, "__aenter__"):
            with pytest.raises(ValueError) as told:
                async with device:
                    pass
            assert str(told.value) == text
        assert device.closed

    pyasync_hw.run(main(), clock=hw_board.clock)
