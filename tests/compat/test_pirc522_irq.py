"""RFID.irq follows the interrupt pin; cleanup() in a signal handler ends what it interrupts."""

import signal
import threading
import time

import pytest
from running import run

from pyasync_hw import sim
from pyasync_hw.compat.pirc522 import RFID

UID5 = [0xA6, 0x1D, 0x22, 0x7E, 231]


def arm(rfid):
    """REQA by registers, with the receiver's interrupt on the pin (datasheet, 9.3.1).

    The reset before it is one for the card, too, which then answers.
    """
    rfid.init()
    rfid.dev_write(0x02, 0xA0)
    rfid.dev_write(0x09, 0x26)
    rfid.dev_write(0x01, 0x0C)
    rfid.dev_write(0x0D, 0x87)


def wait_as_pi_rc522_does(rfid, init_each_time, rounds=50):
    """What its wait_for_tag() does, 2.3 and (once) 2.2, with a limit."""
    rfid.init()
    rfid.irq.clear()
    waiting = True
    while waiting and rounds:
        if init_each_time:
            rfid.init()
        rfid.dev_write(0x04, 0x00)
        rfid.dev_write(0x02, 0xA0)
        rfid.dev_write(0x09, 0x26)
        rfid.dev_write(0x01, 0x0C)
        rfid.dev_write(0x0D, 0x87)
        waiting = not rfid.irq.wait(0.1)
        rounds -= 1
    rfid.irq.clear()
    rfid.init()
    return not waiting


@pytest.mark.parametrize("init_each_time", [True, False])
def test_a_wait_by_registers(rfid, reader, init_each_time):
    assert not wait_as_pi_rc522_does(rfid, init_each_time, rounds=1)
    # Powered up within the field guard, since the wait starts the field anew each time.
    reader.present(sim.MifareClassic1K(uid=bytes(UID5[:4]), power_up=0.0005))
    assert wait_as_pi_rc522_does(rfid, init_each_time)
    assert rfid.request() == (False, 16)
    assert rfid.anticoll() == (False, UID5)
    assert rfid.wait_for_tag(timeout=10) is True


def test_an_edge_before_the_wait_counts_until_clear(rfid, reader):
    reader.present(sim.MifareClassic1K(uid=bytes(UID5[:4]), power_up=0.0005))
    rfid.irq.clear()
    assert not rfid.irq.is_set() and rfid.irq.wait(0) is False
    arm(rfid)
    assert rfid.irq.wait(10)
    assert rfid.irq.is_set() and rfid.irq.wait()  # as an Event stays set
    rfid.irq.clear()
    assert not rfid.irq.is_set()
    arm(rfid)
    while not rfid.irq.is_set():
        time.sleep(0.001)
    rfid.irq.clear()
    assert rfid.irq.wait(0) is False
    # An edge is no wake-up: the next wait for a tag does not end by it.
    arm(rfid)
    assert rfid.irq.wait(10)
    assert rfid.wait_for_tag(timeout=10) is True


@pytest.mark.parametrize("by", ["set", "edge", "cleanup"])
def test_all_who_wait_are_woken(rfid, reader, by):
    if by == "edge":
        reader.present(sim.MifareClassic1K(uid=bytes(UID5[:4]), power_up=0.0005))
    seen = []
    waiters = [threading.Thread(target=lambda: seen.append(rfid.irq.wait())) for _ in range(3)]
    for waiter in waiters:
        waiter.start()
    {"set": rfid.irq.set, "edge": lambda: arm(rfid), "cleanup": rfid.cleanup}[by]()
    for waiter in waiters:
        waiter.join(20)
    assert seen == [True] * 3


def test_without_an_interrupt_pin_it_is_a_plain_event(reader):
    with RFID(pin_irq=None) as rfid:
        assert rfid.irq.wait(0.01) is False
        rfid.irq.set()
        assert rfid.irq.wait() is True


READ = """\
import os, signal, sys, threading
from pirc522 import RFID

rdr = RFID()
run = True

def end_read(signum, frame):
    global run
    print("Ctrl+C captured, ending read.")
    run = False
    rdr.cleanup()
    {end}

signal.signal(signal.SIGINT, end_read)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
while run:
    {verb}
print("ended")
"""
VERBS = {
    "wait_for_tag": "rdr.wait_for_tag()",
    "request": "rdr.request()",
    "both": "rdr.wait_for_tag(); rdr.request()",
    "read_id": "rdr.read_id()",
    "registers": "rdr.dev_read(0x37)",
    "irq": "rdr.irq.wait()",
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("end", ["sys.exit()", "pass"])
def test_cleanup_in_a_signal_handler_ends_the_program(program, verb, end):
    path = program(READ.format(end=end, verb=VERBS[verb]))
    said = "Ctrl+C captured, ending read.\n" + ("ended\n" if end == "pass" else "")
    assert run(path) == (0, said, "")


def test_after_it_the_reader_is_given_back(rfid, reader):
    """Also when what the handler interrupted ends by an exception."""

    class EndError(Exception):
        pass

    def handler(signum, frame):
        rfid.cleanup()
        held.append(reader.board.line(reader.irq).consumer is not None)
        raise EndError

    held = []
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        timer = threading.Timer(
            0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1)
        )
        timer.start()
        with pytest.raises(EndError):
            rfid.wait_for_tag()
    finally:
        signal.signal(signal.SIGUSR1, before)
        timer.join()
    assert held == [True]
    assert reader.board.line(reader.irq).consumer is None
    assert rfid.wait_for_tag() is False
    rfid.init()
    assert rfid.request() == (True, None)
