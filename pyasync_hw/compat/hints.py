"""What somebody is told whose program wants a name that is not here."""

from __future__ import annotations

import re
import sys
from types import ModuleType

from .missing_modules import about
from .removed_names import about_name

__all__ = ["add_hint", "no_such_name"]

_PREFIX = "pyasync_hw.compat."
_MORE_NAMES = 40  # longer lists help nobody

# What Python says of `print x`, `exec x` and `except E, e:`.
_PYTHON_2 = re.compile(
    "Missing parentheses in call to .*|multiple exception types must be parenthesized"
)

# (module or class, name) -> who has it, and what does it here.
_ELSEWHERE = {
    ("MFRC522", "MFRC522_Anticoll1"): "a copy's; MFRC522_Anticoll() is the first cascade level",
    ("MFRC522", "MFRC522_Anticoll2"): "a copy's, for tags whose UID has seven bytes; "
    "pyasync_hw.rc522 reads them: Reader().blocking.wait_for_tag().uid",
    ("MFRC522", "MFRC522_SelectTagSN"): "a copy's, for tags whose UID has seven bytes; "
    "pyasync_hw.rc522 reads them: Reader().blocking.wait_for_tag().uid",
    ("RFID", "MFRC522_Request"): "mfrc522's; pirc522 has request()",
    ("RPi.GPIO", "add_interrupt_callback"): "RPIO's; here it is add_event_detect()",
    ("RPi.GPIO", "digitalRead"): "wiringPi's; here it is input()",
    ("RPi.GPIO", "digitalWrite"): "wiringPi's; here it is output()",
    ("RPi.GPIO", "pinMode"): "wiringPi's; here it is setup()",
    ("RPi.GPIO", "pullUpDnControl"): "wiringPi's; here it is setup(…, pull_up_down=)",
    ("RPi.GPIO", "pwmWrite"): "wiringPi's; here it is PWM()",
    ("RPi.GPIO", "set_pull_up_down"): "RPIO's; here it is setup(…, pull_up_down=)",
    ("RPi.GPIO", "set_servo_pulsewidth"): "pigpio's; here it is PWM(channel, 50)",
    ("RPi.GPIO", "setup_pwm"): "of no version of RPi.GPIO; here it is PWM()",
    ("RPi.GPIO", "wait_for_interrupts"): "RPIO's; here callbacks come by themselves",
    ("SimpleMFRC522", "reader"): "a copy's; here it is READER",
    ("SMBus", "read_i2c_block"): "of no version of smbus2; here it is read_i2c_block_data()",
    ("bytes", "format"): "MicroPython's; in Python: text.decode().format(…).encode()",
    ("machine", "DAC"): "not here: a Raspberry Pi has no analog output; PWM and a filter are one",
    ("machine", "I2S"): "not here; on a Raspberry Pi ALSA does it",
    ("machine", "SDCard"): "not here; Linux mounts cards",
    ("machine", "TouchPad"): "not here: it is an ESP32's",
    ("machine", "UART"): "not here: serial lines are not simulated; on a Raspberry Pi pyserial's "
    'Serial("/dev/serial0", 9600) has read() and write()',
    ("machine", "bitstream"): "not here: its pulses take 0.4 us",
    ("mfrc522", "StoreMFRC522"): "of a copy that is on GitHub only; BasicMFRC522 has "
    "read_sectors() and write_sectors()",
    ("spidev", "SPI"): "periphery's; here it is SpiDev",
}


def _public_name(module: str) -> str:
    name = module.removeprefix(_PREFIX)
    return name.removeprefix("upy.")


def _there_is(owner: str, found: list[str]) -> str:
    return f"in pyasync_hw {owner} has {', '.join(sorted(found))}"


def no_such_name(module: str, name: str) -> AttributeError:
    """For the module's __getattr__(): says what there is, by the name that programs import."""
    found = sys.modules[module]
    public = _public_name(module)
    text = f"module {public!r} has no attribute {name!r}"
    if (public, name) in _ELSEWHERE:
        text += f"; it is {_ELSEWHERE[public, name]}"
    elif not name.startswith("__"):
        text += f"; {_there_is('it', found.__all__)}"
    return AttributeError(text, name=name, obj=found)


def add_hint(exc: BaseException) -> None:
    """A note to a name that is not here, if we know what helps."""
    if isinstance(exc, ImportError) and exc.name is not None:
        note = _about_import(exc, exc.name)
    elif isinstance(exc, AttributeError) and exc.name is not None:
        note = _about_attribute(exc.obj, exc.name)
    elif isinstance(exc, SyntaxError):
        _add_to_syntax(exc)
        return
    else:
        return
    if note is not None:
        exc.add_note(note)


def _wanted(exc: ImportError) -> str:
    """Of `from module import wanted`; Python 3.12 has it as name_from."""
    _, _, rest = str(exc).partition("cannot import name '")
    return rest.partition("'")[0]


def _add_to_syntax(exc: SyntaxError) -> None:
    """To one for Python 2, by what Python 3 says of its most frequent statements.

    It becomes a part of the message, for Python 3.11 prints no note of a SyntaxError.
    """
    if isinstance(exc, TabError) or _PYTHON_2.fullmatch(str(exc.msg)):
        exc.msg = (
            f"{exc.msg} This looks like a program for Python 2, which `run` does not rewrite: "
            f"{sys.executable} -m pip install modernize, then modernize -w FILE."
        )


def _about_import(exc: ImportError, name: str) -> str | None:
    found = sys.modules.get(name)
    if found is not None and found.__name__.startswith(_PREFIX):
        wanted = _wanted(exc)
        key = (_public_name(found.__name__), wanted)
        if key in _ELSEWHERE:
            return f"{wanted} is {_ELSEWHERE[key]}."
        return f"In pyasync_hw it has {', '.join(sorted(found.__all__))}."
    if not isinstance(exc, ModuleNotFoundError):
        return about_name(name, _wanted(exc))
    package = name.partition(".")[0]
    parent = sys.modules.get(package)
    if parent is not None and parent.__name__.startswith(_PREFIX):
        return f"In pyasync_hw {package} has {', '.join(parent.__all__)}."
    return about(name)


def _about_attribute(owner: object, name: str) -> str | None:
    """Of an object of our classes, or of Python's; modules of ours have said it themselves."""
    of_class = owner if isinstance(owner, type) else type(owner)
    if isinstance(owner, ModuleType):
        return about_name(owner.__name__, name)
    key = (of_class.__name__, name)
    ours = of_class.__module__.startswith(_PREFIX)
    if key in _ELSEWHERE and (ours or of_class is bytes):
        return f"{name} is {_ELSEWHERE[key]}."
    if not ours:
        return about_name(of_class.__name__, name)
    found = [one for one in dir(of_class) if not one.startswith("_")]
    if len(found) > _MORE_NAMES and name.isupper():
        found = [one for one in found if one.isupper()]
    elif len(found) > _MORE_NAMES:
        found = [one for one in found if callable(getattr(of_class, one, None))]
    text = _there_is(of_class.__name__, found)
    return f"{text[0].upper()}{text[1:]}."
