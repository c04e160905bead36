"""gpio.PWM on pins of the kernel's PWM, on folders that look like sysfs and a device tree."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

import pyasync_hw
from pyasync_hw import gpio, hardware, sim
from pyasync_hw.hardware import kernel, pwm

PHANDLE = 0x51
BCM = ("soc", b"brcm,bcm2835-pwm\0")
RP1 = ("rp1", b"raspberrypi,rp1-pwm\0")


def cells(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in numbers)


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


class Machine:
    """A device tree with one PWM chip, and its folder in /sys/class/pwm."""

    def __init__(self, root: Path, family: tuple[str, bytes], pins: dict[str, bytes]) -> None:
        bus, compatible = family
        node = root / "tree" / bus / "pwm@98000"
        write(node / "compatible", compatible)
        write(node / "pinctrl-0", cells(PHANDLE))
        group = root / "tree" / bus / "gpio@d0000" / "pwm_pins"
        write(group / "phandle", cells(PHANDLE))
        for name, data in pins.items():
            write(group / name, data)
        write(root / "tree" / bus / "gpio@d0000" / "uart" / "phandle", cells(7))
        write(root / "tree" / bus / "gpio@d0000" / "uart" / "brcm,pins", cells(13, 19))
        self.folder = root / "class"
        self.chip = self.folder / "pwmchip2"
        (self.chip / "device").mkdir(parents=True)
        (self.chip / "device" / "of_node").symlink_to(node)
        for name in ("export", "unexport"):
            write(self.chip / name, b"")

    def add_channel(self, channel: int) -> None:
        for name in ("period", "duty_cycle", "polarity", "enable"):
            write(self.chip / f"pwm{channel}" / name, b"0\n")

    def read(self, name: str) -> str:
        return (self.chip / name).read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("family", "pins", "found"),
    [
        (BCM, {"brcm,pins": cells(18)}, {18: 0}),
        (BCM, {"brcm,pins": cells(12, 13)}, {12: 0, 13: 1}),
        (BCM, {"brcm,pins": cells(40, 41)}, {}),  # of the analogue audio
        (RP1, {"brcm,pins": cells(18, 19)}, {18: 2, 19: 3}),
        (RP1, {"pins": b"gpio12\0gpio15\0"}, {12: 0, 15: 3}),
        (("soc", b"pwm-fan\0"), {"brcm,pins": cells(18)}, {}),
        (BCM, {}, {}),
    ],
)
def test_which_pins_have_it(
    tmp_path: Path, family: tuple[str, bytes], pins: dict[str, bytes], found: dict[int, int]
) -> None:
    machine = Machine(tmp_path, family, pins)
    channels = {pin: pwm.find_channel(pin, str(machine.folder)) for pin in range(28)}
    assert {pin: where for pin, where in channels.items() if where is not None} == {
        pin: (str(machine.chip), channel) for pin, channel in found.items()
    }


def test_no_pwm_at_all(tmp_path: Path) -> None:
    assert pwm.find_channel(18, str(tmp_path / "nowhere")) is None


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path, BCM, {"brcm,pins": cells(18)})
    machine.add_channel(0)
    folder = str(machine.folder)
    monkeypatch.setattr(kernel, "find_channel", lambda pin: pwm.find_channel(pin, folder))
    return machine


def test_a_wave(machine: Machine) -> None:
    with gpio.PWM("BOARD12", 50, duty=0.075, board=hardware.KernelBackend()) as servo:
        assert servo.made_by == "kernel"
        assert machine.read("export") == "0"
        assert [machine.read(f"pwm0/{name}") for name in ("period", "duty_cycle", "enable")] == [
            "20000000",
            "1500000",
            "1",
        ]
        servo.duty = 0.1
        assert machine.read("pwm0/duty_cycle") == "2000000"
        assert servo.jitter == gpio.Jitter(0, 0, 0.0, 0.0, 0.0)
        servo.stop()
        assert machine.read("pwm0/enable") == "0"
        servo.start()
    assert (machine.read("pwm0/enable"), machine.read("unexport")) == ("0", "0")


def test_only_the_kernels_if_that_is_asked_for(machine: Machine) -> None:
    real = hardware.KernelBackend()
    with gpio.PWM(18, 50, kernel=True, board=real) as servo:
        assert servo.made_by == "kernel"
        assert servo.realtime is False  # there is no thread
    for spec, remedy in (
        ("BOARD33", r"add dtoverlay=pwm,pin=13,func=4 to /boot/firmware/config\.txt"),
        (17, "GPIO 12, 13, 18 and 19 can have it"),
    ):
        with pytest.raises(FileNotFoundError, match=remedy):
            gpio.PWM(spec, 50, kernel=True, board=real)
    with pytest.raises(FileNotFoundError, match="only pins of the header"):
        gpio.PWM(0, 50, kernel=True, chip="expander", board=real)


def test_a_simulated_board_s_are_as_good(hw_board: sim.Board) -> None:
    with gpio.PWM(18, 50, kernel=True) as servo:
        assert servo.made_by == "simulator"


def test_not_on_a_virtual_clock(machine: Machine) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="PWM: a real device cannot be used on a virtual"):
            gpio.PWM(18, 50, board=hardware.KernelBackend())

    pyasync_hw.run(main(), clock=pyasync_hw.VirtualClock())
    assert machine.read("unexport") == "0"


def test_errors_have_a_remedy(machine: Machine) -> None:
    (machine.chip / "export").unlink()
    with pytest.raises(OSError, match="channel 0 of pwmchip2") as caught:
        gpio.PWM(18, 50, board=hardware.KernelBackend())
    assert caught.value.errno == errno.ENOENT
    assert "the chip is gone" in str(caught.value)
