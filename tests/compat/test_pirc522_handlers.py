"""pirc522's calls in a signal handler that comes in the midst of another one."""

import pytest
from line_injection import At

from pyasync_hw import VirtualClock, rc522, sim
from pyasync_hw.compat import reader_base
from pyasync_hw.compat.pirc522 import RFID, rfid, wake
from pyasync_hw.compat.RPi import GPIO
from pyasync_hw.reader import chip, port, verbs

MODULES = (reader_base, rfid, wake, rc522, chip, port, verbs)

CALLS = {
    "wait_for_tag": lambda reader: reader.wait_for_tag(timeout=0.03),
    "request": lambda reader: reader.request(),
    "init": lambda reader: reader.init(),
    "cleanup": lambda reader: reader.cleanup(),
    "irq.wait": lambda reader: reader.irq.wait(0.01),
    "irq.set": lambda reader: reader.irq.set(),
    "irq.clear": lambda reader: reader.irq.clear(),
    "spi": lambda reader: reader.dev_read(0x37),
}


def attempt(call, reader):
    try:
        CALLS[call](reader)
    except RuntimeError as exc:
        assert "busy" in str(exc)
    except OSError as exc:
        assert call == "spi" and "Bad file descriptor" in str(exc)


@pytest.mark.parametrize("inner", CALLS)
@pytest.mark.parametrize("outer", [*CALLS, "request of a closed one"])
def test_wherever_it_comes(outer, inner):
    """Each call has its own outcome, and nothing is left when all is cleaned up."""
    with sim.Board(clock=VirtualClock()) as board:
        field = board.attach_rc522("spi0.0", irq="BOARD18", reset="BOARD22")
        reader = RFID()
        count = 0
        while True:
            count += 1
            if "closed" in outer:
                reader.cleanup()
            at = At(count, lambda: attempt(inner, reader), MODULES)
            with at:
                attempt(outer.split()[0], reader)
            reader.cleanup()
            for pin in (field.irq, field.reset):
                assert board.line(pin).consumer is None
            if at.left > 0:
                break
            reader.init()
        assert count > 3
        reader.init()
        reader.irq.clear()
        assert reader.wait_for_tag(timeout=0.03) is False
        field.present(sim.MifareClassic1K(uid="a61d227e"))
        assert reader.wait_for_tag(timeout=10) is True
        reader.cleanup()
    GPIO.release_all()
