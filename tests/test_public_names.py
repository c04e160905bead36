"""Public names stay where they are when files move: for imports, pickles and type hints."""

from __future__ import annotations

import importlib
import pickle
import typing

import pytest

import pyasync_hw
from pyasync_hw import gpio, hardware, rc522, spi

MODULES = [
    "pyasync_hw",
    *(
        f"pyasync_hw.{name}"
        for name in ("errors", "executor", "gpio", "gpio.line", "hardware", "i2c", "insight")
    ),
    *(f"pyasync_hw.{name}" for name in ("loop", "rc522", "sim", "spi", "tags", "testing")),
]

# Where pickles find the classes and functions of these modules; only ever longer.
PICKLED = {
    "pyasync_hw": "CancelToken Delay EventLoopPolicy VirtualClock install run",
    "pyasync_hw._core": "current_token sleep",
    "pyasync_hw.errors": (
        "AuthenticationError CRCError ChipNotFoundError CollisionError NakError RC522Error "
        "SleepForeverError TagLostError TagTimeoutError TimeLimitError WiringError"
    ),
    "pyasync_hw.executor": "Future ThreadPoolExecutor",
    "pyasync_hw.gpio": (
        "BlockingChip BlockingEdgeIterator BlockingInput BlockingLineRequest Button "
        "ButtonEvent ButtonEvents Chip ChipInfo EdgeEvent EdgeIterator InfoEvent "
        "InfoEventIterator Input Jitter LED LineInfo LineRequest Output PWM request_lines"
    ),
    "pyasync_hw.gpio.line": "Bias Clock Direction Drive Edge Value",
    "pyasync_hw.hardware": (
        "Backend BoardNames ChipBackend ConfigError KernelBackend LineSettings Loops PartWiring "
        "ReaderWiring Use Wiring chosen current is_raspberry_pi keep_to_the_end load_board "
        "set_default use use_running_loop"
    ),
    "pyasync_hw.i2c": "BlockingBus BlockingDevice Bus Device",
    "pyasync_hw.insight": "Report Watch watch",
    "pyasync_hw.loop": "EventLoop new_event_loop",
    "pyasync_hw.rc522": "BlockingReader Reader Stats crc_a",
    "pyasync_hw.sim.board": "Board OnI2c OnSpi SimLine SimReader",
    "pyasync_hw.sim.cards": "Card CardState",
    "pyasync_hw.sim.classic": "MifareClassic1K",
    "pyasync_hw.sim.parts.accelerometer": "ADXL345 MMA7660 MPU6050",
    "pyasync_hw.sim.parts.adc": "ADC",
    "pyasync_hw.sim.parts.bmp180": "BMP180",
    "pyasync_hw.sim.parts.button": "Button",
    "pyasync_hw.sim.parts.dht": "DHT",
    "pyasync_hw.sim.parts.hc_sr04": "HCSR04",
    "pyasync_hw.sim.parts.i2c": "I2CPart",
    "pyasync_hw.sim.parts.led": "LED",
    "pyasync_hw.sim.parts.light_sensor": "LightSensor",
    "pyasync_hw.sim.parts.mcp3xxx": "MCP3002 MCP3004 MCP3008",
    "pyasync_hw.sim.parts.part": "Part PartLine",
    "pyasync_hw.sim.parts.registry": "kinds register",
    "pyasync_hw.sim.parts.ssd1306": "SSD1306",
    "pyasync_hw.sim.parts.wire": "Joint KeyMatrix Wire",
    "pyasync_hw.sim.wired": "wired_board",
    "pyasync_hw.spi": "BlockingDevice Device SpidevPackageBus Stats Transfer",
    "pyasync_hw.tags": "make_tag",
    "pyasync_hw.tags.mifare_classic": "BlockingMifareClassic MifareClassic",
    "pyasync_hw.tags.tag": "BlockingTag Tag product_of",
    "pyasync_hw.testing": "live_objects open_descriptors open_devices",
}


def public_objects() -> dict[str, object]:
    """The classes and functions of the public modules, by what pickle calls them."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", vars(module)):
            value = getattr(module, public)
            if getattr(value, "__module__", "").startswith("pyasync_hw"):
                found[f"{value.__module__} {value.__qualname__}"] = value
    return found


def test_pickles_find_every_public_name_where_they_always_did() -> None:
    pickled = {f"{module} {name}" for module, names in PICKLED.items() for name in names.split()}
    if not hasattr(pyasync_hw, "EventLoopPolicy"):  # from Python 3.16 on
        pickled.remove("pyasync_hw EventLoopPolicy")
    public = public_objects()
    assert set(public) == pickled
    for name, value in public.items():
        module, _, attribute = name.partition(" ")
        assert pickle.loads(f"c{module}\n{attribute}\n.".encode()) is value


@pytest.mark.parametrize("name", sorted(public_objects()))
def test_type_hints_are_found_where_a_class_says_that_it_is(name: str) -> None:
    value = public_objects()[name]
    if isinstance(value, type):
        typing.get_type_hints(value)


@pytest.mark.parametrize(
    "device",
    [gpio.Input, gpio.Output, gpio.BlockingInput, spi.Device, rc522.Reader, rc522.BlockingReader],
)
def test_a_device_may_be_combined_with_any_other_class(device: type) -> None:
    class Meta(type):
        pass

    class Other(metaclass=Meta):
        pass

    assert type(type("Both", (device, Other), {})) is Meta


def test_line_settings_have_the_types_that_they_are_documented_with() -> None:
    hints = typing.get_type_hints(hardware.LineSettings)
    assert hints["direction"] == typing.Literal["as_is", "input", "output"]
