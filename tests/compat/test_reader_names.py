"""Every name of pi-rc522 2.3.0 and mfrc522 0.0.7: its signature there, a call, its result."""

import inspect
import threading

import pytest

from pyasync_hw import sim
from pyasync_hw.compat import mfrc522, pirc522
from pyasync_hw.compat.RPi import GPIO

UID = [0xA6, 0x1D, 0x22, 0x7E, 0xE7]
NUMBER = 0xA61D227EE7
KEY = [0xFF] * 6
ZEROS = [0] * 16

RFID_NUMBERS = {
    "pin_rst": 22, "pin_ce": 0, "pin_irq": 18, "mode_idle": 0, "mode_auth": 0x0E,
    "mode_receive": 8, "mode_transmit": 4, "mode_transrec": 0x0C, "mode_reset": 0x0F,
    "mode_crc": 3, "auth_a": 0x60, "auth_b": 0x61, "act_read": 0x30, "act_write": 0xA0,
    "act_increment": 0xC1, "act_decrement": 0xC0, "act_restore": 0xC2, "act_transfer": 0xB0,
    "act_reqidl": 0x26, "act_reqall": 0x52, "act_anticl": 0x93, "act_anticl2": 0x95,
    "act_anticl3": 0x97, "act_select": 0x93, "act_end": 0x50, "reg_tx_control": 0x14,
    "length": 16, "antenna_gain": 4, "authed": False,
}  # fmt: skip
MFRC522_NUMBERS = {
    "MAX_LEN": 16, "PCD_IDLE": 0, "PCD_AUTHENT": 0x0E, "PCD_RECEIVE": 8, "PCD_TRANSMIT": 4,
    "PCD_TRANSCEIVE": 0x0C, "PCD_RESETPHASE": 0x0F, "PCD_CALCCRC": 3, "PICC_REQIDL": 0x26,
    "PICC_REQALL": 0x52, "PICC_ANTICOLL": 0x93, "PICC_SElECTTAG": 0x93, "PICC_AUTHENT1A": 0x60,
    "PICC_AUTHENT1B": 0x61, "PICC_READ": 0x30, "PICC_WRITE": 0xA0, "PICC_DECREMENT": 0xC0,
    "PICC_INCREMENT": 0xC1, "PICC_RESTORE": 0xC2, "PICC_TRANSFER": 0xB0, "PICC_HALT": 0x50,
    "MI_OK": 0, "MI_NOTAGERR": 1, "MI_ERR": 2,
}  # fmt: skip
# The registers of the chip in their order, from 0 on (datasheet, table 20).
MFRC522_REGISTERS = [
    "Reserved00",
    "CommandReg",
    "CommIEnReg",
    "DivlEnReg",
    "CommIrqReg",
    "DivIrqReg",
    "ErrorReg",
    "Status1Reg",
    "Status2Reg",
    "FIFODataReg",
    "FIFOLevelReg",
    "WaterLevelReg",
    "ControlReg",
    "BitFramingReg",
    "CollReg",
    "Reserved01",
    "Reserved10",
    "ModeReg",
    "TxModeReg",
    "RxModeReg",
    "TxControlReg",
    "TxAutoReg",
    "TxSelReg",
    "RxSelReg",
    "RxThresholdReg",
    "DemodReg",
    "Reserved11",
    "Reserved12",
    "MifareReg",
    "Reserved13",
    "Reserved14",
    "SerialSpeedReg",
    "Reserved20",
    "CRCResultRegM",
    "CRCResultRegL",
    "Reserved21",
    "ModWidthReg",
    "Reserved22",
    "RFCfgReg",
    "GsNReg",
    "CWGsPReg",
    "ModGsPReg",
    "TModeReg",
    "TPrescalerReg",
    "TReloadRegH",
    "TReloadRegL",
    "TCounterValueRegH",
    "TCounterValueRegL",
    "Reserved30",
    "TestSel1Reg",
    "TestSel2Reg",
    "TestPinEnReg",
    "TestPinValueReg",
    "TestBusReg",
    "AutoTestReg",
    "VersionReg",
    "AnalogTestReg",
    "TestDAC1Reg",
    "TestDAC2Reg",
    "TestADCReg",
    "Reserved31",
    "Reserved32",
    "Reserved33",
    "Reserved34",
]


def chosen(r):
    assert r.request() == (False, 16) and r.anticoll() == (False, UID)
    return r.select_tag(UID)


def opened(r):
    return chosen(r) or r.card_auth(r.auth_a, 8, KEY, UID)


def masks(r):
    r.set_bitmask(0x2C, 0x03)
    r.clear_bitmask(0x2C, 0x01)
    value = r.dev_read(0x2C)
    r.dev_write(0x2C, 0)
    return value


def field(r, state):
    r.set_antenna(state)
    return r.dev_read(r.reg_tx_control) & 3, r.request()[0]


def halted(r):
    chosen(r)
    r.halt()
    return r.request(), r.request(r.act_reqall)


def ends_a_wait(r):
    """cleanup() in a thread that does not wait."""
    timer = threading.Timer(0.05, r.cleanup)
    timer.start()
    r.set_antenna(False)
    r.set_antenna(True)
    return r.irq.wait(0.01), r.irq.is_set()


def armed(r):
    """The interrupt pin, after the chip was armed by registers as wait_for_tag() does there."""
    r.init()
    r.irq.clear()
    for address, value in ((4, 0), (2, 0xA0), (9, 0x26), (1, 0x0C), (0x0D, 0x87)):
        r.dev_write(address, value)
    return r.irq.wait(5)


def rf_gain(r):
    r.set_antenna_gain(7)
    return r.antenna_gain, r.dev_read(0x26) >> 4 & 7


INIT = "(bus=0, device=0, speed=1000000, pin_rst=22, pin_ce=0, pin_irq=18, pin_mode=10, "
RFID_CALLS = {
    "__init__": (INIT + "antenna_gain=None)", lambda r: r.native_spi.speed_hz, 1_000_000),
    "init": ("()", lambda r: (r.init(), r.dev_read(0x14) & 3), (None, 3)),
    "spi_transfer": ("(data)", lambda r: r.spi_transfer([0x37 << 1 | 0x80, 0])[1], 0x92),
    "dev_write": ("(address, value)", masks, 2),
    "dev_read": ("(address)", lambda r: r.dev_read(0x37), 0x92),
    "set_bitmask": ("(address, mask)", masks, 2),
    "clear_bitmask": ("(address, mask)", masks, 2),
    "set_antenna": (
        "(state)",
        lambda r: (field(r, False), field(r, True)),
        ((0, True), (3, False)),
    ),
    "set_antenna_gain": ("(gain)", rf_gain, (7, 7)),
    "card_write": (
        "(command, data)",
        lambda r: r.card_write(r.mode_transrec, [r.act_reqidl]),
        (False, [4, 0], 16),
    ),
    "request": ("(req_mode=38)", lambda r: r.request(), (False, 16)),
    "anticoll": ("()", lambda r: (r.request(), r.anticoll())[1], (False, UID)),
    "anticoll2": ("()", lambda r: r.anticoll2()[0], True),
    "calculate_crc": ("(data)", lambda r: r.calculate_crc([0x50, 0]), [0x57, 0xCD]),
    "select_tag": ("(uid)", chosen, False),
    "card_auth": ("(auth_mode, block_address, key, uid)", opened, False),
    "stop_crypto": (
        "()",
        lambda r: (opened(r), r.authed, r.stop_crypto(), r.authed)[1::2],
        (True, False),
    ),
    "halt": ("()", halted, ((True, None), (False, 16))),
    "read": ("(block_address)", lambda r: opened(r) or r.read(8), (False, ZEROS)),
    "write": (
        "(block_address, data)",
        lambda r: opened(r) or (r.write(8, UID + ZEROS[5:]), r.read(8)[1][:5]),
        (False, UID),
    ),
    "read_id": (
        "(as_number=False)",
        lambda r: (r.read_id(), r.read_id(True)),
        (UID[:4], 0xA61D227E),
    ),
    "irq_callback": ("(not_used=None)", lambda r: (r.irq_callback(), r.irq.is_set())[1], True),
    "irq": (None, armed, True),
    "wait_for_tag": ("(timeout=0)", lambda r: (r.wait_for_tag(), r.request()), (True, (False, 16))),
    "reset": ("()", lambda r: (r.reset(), r.request())[1], (False, 16)),
    "cleanup": (
        "()",
        lambda r: (r.cleanup(), GPIO.getmode(), r.request())[1:],
        (None, (False, 16)),
    ),
    "util": ("()", lambda r: isinstance(r.util(), pirc522.RFIDUtil), True),
    "spi": (None, lambda r: r.spi.xfer2([0x37 << 1 | 0x80, 0]), [0, 0x92]),
}


def with_tag(r):
    assert r.request() == (False, 16) and r.anticoll() == (False, UID)
    util = r.util()
    assert not util.set_tag(UID)
    util.auth(r.auth_a, KEY)
    return util


def printed(capsys, call, *args):
    call(*args)
    return capsys.readouterr().out.splitlines()


KEY_OF_FF = "(255, 255, 255, 255, 255, 255)"
TRAILER = f"(sector, key_a={KEY_OF_FF}, auth_bits=(255, 7, 128), user_data=105, key_b={KEY_OF_FF})"
UTIL_CALLS = {
    "block_addr": ("(sector, block)", lambda u, _: u.block_addr(2, 3), 11),
    "sector_string": ("(block_address)", lambda u, _: u.sector_string(7), "S1.0B3"),
    "set_tag": ("(uid)", lambda u, _: u.uid, UID),
    "auth": ("(auth_method, key)", lambda u, _: (u.method, u.key), (0x60, KEY)),
    "deauth": (
        "()",
        lambda u, _: (u.do_auth(8), u.deauth(), u.method, u.rfid.authed)[2:],
        (None, False),
    ),
    "is_tag_set_auth": ("()", lambda u, _: u.is_tag_set_auth(), True),
    "do_auth": (
        "(block_address, force=False)",
        lambda u, _: (u.do_auth(8), u.do_auth(8)),
        (False, False),
    ),
    "write_trailer": (TRAILER, lambda u, _: u.write_trailer(2, [1] * 6), False),
    "rewrite": (
        "(block_address, new_bytes)",
        lambda u, _: (u.rewrite(8, [None, 5]), u.rfid.read(8)[1][:3]),
        (False, [0, 5, 0]),
    ),
    "read_out": ("(block_address)", lambda u, c: printed(c, u.read_out, 8), [f"S2.0B0: {ZEROS}"]),
    "get_access_bits": (
        "(c1, c2, c3)",
        lambda u, _: u.get_access_bits([0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]),
        (0xFF, 0x07, 0x80),
    ),
    "dump": ("(sectors=16)", lambda u, c: len(printed(c, u.dump)), 64),
}


def asked(m):
    assert m.MFRC522_Request(m.PICC_REQIDL) == (m.MI_OK, 16)
    return m.MFRC522_Anticoll()


def allowed(m):
    _, uid = asked(m)
    m.MFRC522_SelectTag(uid)
    return m.MFRC522_Auth(m.PICC_AUTHENT1A, 8, KEY, uid)


def bits(m):
    m.SetBitMask(m.TReloadRegH, 3)
    m.ClearBitMask(m.TReloadRegH, 1)
    value = m.Read_MFRC522(m.TReloadRegH)
    m.Write_MFRC522(m.TReloadRegH, 0)
    return value


def antenna(m, call):
    call()
    return m.Read_MFRC522(m.TxControlReg) & 3


INIT = "(bus=0, device=0, spd=1000000, pin_mode=10, pin_rst=-1, debugLevel='WARNING')"
MFRC522_CALLS = {
    "__init__": (INIT, lambda m: m.native_spi.speed_hz, 1_000_000),
    "MFRC522_Reset": ("()", lambda m: (m.MFRC522_Reset(), m.MFRC522_Request(0x26))[1], (0, 16)),
    "Write_MFRC522": ("(addr, val)", bits, 2),
    "Read_MFRC522": ("(addr)", lambda m: m.Read_MFRC522(m.VersionReg), 0x92),
    "Close_MFRC522": ("()", lambda m: (m.Close_MFRC522(), GPIO.getmode()), (None, None)),
    "SetBitMask": ("(reg, mask)", bits, 2),
    "ClearBitMask": ("(reg, mask)", bits, 2),
    "AntennaOn": ("()", lambda m: antenna(m, m.AntennaOn), 3),
    "AntennaOff": ("()", lambda m: antenna(m, m.AntennaOff), 0),
    "MFRC522_ToCard": (
        "(command, sendData)",
        lambda m: (m.Write_MFRC522(13, 7), m.MFRC522_ToCard(m.PCD_TRANSCEIVE, [0x26]))[1],
        (0, [4, 0], 16),
    ),
    "MFRC522_Request": ("(reqMode)", lambda m: m.MFRC522_Request(m.PICC_REQALL), (0, 16)),
    "MFRC522_Anticoll": ("()", asked, (0, UID)),
    "CalulateCRC": ("(pIndata)", lambda m: m.CalulateCRC([0x50, 0]), [0x57, 0xCD]),
    "MFRC522_SelectTag": ("(serNum)", lambda m: m.MFRC522_SelectTag(asked(m)[1]), 8),
    "MFRC522_Auth": ("(authMode, BlockAddr, Sectorkey, serNum)", allowed, 0),
    "MFRC522_StopCrypto1": (
        "()",
        lambda m: (allowed(m), m.MFRC522_StopCrypto1(), m.Read_MFRC522(m.Status2Reg) & 8),
        (0, None, 0),
    ),
    "MFRC522_Read": ("(blockAddr)", lambda m: allowed(m) or m.MFRC522_Read(8), ZEROS),
    "MFRC522_Write": (
        "(blockAddr, writeData)",
        lambda m: allowed(m) or (m.MFRC522_Write(8, UID + ZEROS[5:]), m.MFRC522_Read(8)[:5]),
        (None, UID),
    ),
    "MFRC522_DumpClassic1K": (
        "(key, uid)",
        lambda m: allowed(m) or m.MFRC522_DumpClassic1K(KEY, UID),
        None,
    ),
    "MFRC522_Init": ("()", lambda m: (m.MFRC522_Init(), m.MFRC522_Request(0x26))[1], (0, 16)),
}

EMPTY = (NUMBER, "\0" * 48)
SIMPLE_CALLS = {
    "READER": (None, lambda s: isinstance(s.READER, mfrc522.MFRC522), True),
    "KEY": (None, lambda s: s.KEY, KEY),
    "BLOCK_ADDRS": (None, lambda s: s.BLOCK_ADDRS, [8, 9, 10]),
    "read": ("()", lambda s: s.read(), EMPTY),
    "read_id": ("()", lambda s: s.read_id(), NUMBER),
    "read_id_no_block": ("()", lambda s: s.read_id_no_block(), NUMBER),
    "read_no_block": ("()", lambda s: s.read_no_block(), EMPTY),
    "write": (
        "(text)",
        lambda s: (s.write("Bob"), s.read()),
        ((NUMBER, "Bob"), (NUMBER, "Bob".ljust(48))),
    ),
    "write_no_block": ("(text)", lambda s: s.write_no_block("x" * 49), (NUMBER, "x" * 48)),
    "uid_to_num": ("(uid)", lambda s: s.uid_to_num(UID), NUMBER),
}


@pytest.fixture
def tag(reader):
    reader.present(sim.MifareClassic1K(uid="a61d227e"))


def has_signature(of_class, name, signature):
    if signature is None:
        return
    found = inspect.signature(getattr(of_class, name))
    names = list(found.parameters.values())[1:]
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in names]
    assert str(inspect.Signature(bare)) == signature


@pytest.mark.parametrize("name", RFID_CALLS)
def test_rfid(tag, rfid, name):
    signature, call, result = RFID_CALLS[name]
    has_signature(pirc522.RFID, name, signature)
    assert call(rfid) == result


@pytest.mark.parametrize("name", UTIL_CALLS)
def test_rfid_util(tag, rfid, name, capsys):
    signature, call, result = UTIL_CALLS[name]
    has_signature(pirc522.RFIDUtil, name, signature)
    assert call(with_tag(rfid), capsys) == result


@pytest.mark.parametrize("name", MFRC522_CALLS)
def test_mfrc522(tag, name):
    signature, call, result = MFRC522_CALLS[name]
    has_signature(mfrc522.MFRC522, name, signature)
    reader = mfrc522.MFRC522()
    assert call(reader) == result
    reader.Close_MFRC522()


@pytest.mark.parametrize("name", SIMPLE_CALLS)
def test_simple_mfrc522(tag, name):
    signature, call, result = SIMPLE_CALLS[name]
    has_signature(mfrc522.SimpleMFRC522, name, signature)
    simple = mfrc522.SimpleMFRC522()
    assert call(simple) == result
    simple.READER.Close_MFRC522()


def test_numbers():
    for of_class, numbers in ((pirc522.RFID, RFID_NUMBERS), (mfrc522.MFRC522, MFRC522_NUMBERS)):
        assert {name: getattr(of_class, name) for name in numbers} == numbers
    assert [getattr(mfrc522.MFRC522, name) for name in MFRC522_REGISTERS] == list(range(64))
