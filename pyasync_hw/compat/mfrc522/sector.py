"""Text in the blocks of one sector: what the easy classes of mfrc522 share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .MFRC522 import MFRC522

__all__ = ["find", "read_text", "uid_to_num", "until_found", "write_bytes", "write_text"]


def uid_to_num(uid: Sequence[int]) -> int:
    """The number of a UID: four bytes and their check byte, the first one highest."""
    return int.from_bytes(bytes(uid[:5]), "big")


def until_found(reader: MFRC522, attempt: Callable[[], Any]) -> Any:
    """The first result of attempt() that has a tag's number; between two the reader sleeps."""
    while True:
        result = attempt()
        if result[0] if isinstance(result, tuple) else result:
            return result
        reader.wait_for_tag()


def find(reader: MFRC522) -> list[int] | None:
    """The UID of a tag in the field, with its check byte."""
    status, _ = reader.MFRC522_Request(reader.PICC_REQIDL)
    if status != reader.MI_OK:
        return None
    status, uid = reader.MFRC522_Anticoll()
    return uid if status == reader.MI_OK else None


def _unlock(reader: MFRC522, key: Sequence[int], trailer: int, uid: Sequence[int]) -> bool:
    reader.MFRC522_SelectTag(uid)
    return reader.MFRC522_Auth(reader.PICC_AUTHENT1A, trailer, key, uid) == reader.MI_OK


def read_text(
    reader: MFRC522, key: Sequence[int], trailer: int, blocks: Sequence[int]
) -> tuple[int, str] | None:
    """(number, text) of a tag in the field; the text is empty if the key is wrong."""
    uid = find(reader)
    if uid is None:
        return None
    data: list[int] = []
    if _unlock(reader, key, trailer, uid):
        for block in blocks:
            data += reader.MFRC522_Read(block) or []
    reader.MFRC522_StopCrypto1()
    return uid_to_num(uid), "".join(map(chr, data))


def write_bytes(
    reader: MFRC522, key: Sequence[int], trailer: int, blocks: Sequence[int], data: bytes
) -> int | None:
    """The number of a tag in the field, to which `data` was written if the key is right."""
    uid = find(reader)
    if uid is None:
        return None
    is_open = _unlock(reader, key, trailer, uid)
    reader.MFRC522_Read(trailer)  # which logs an error if it is not
    if is_open:
        for index, block in enumerate(blocks):
            reader.MFRC522_Write(block, data[16 * index : 16 * (index + 1)])
    reader.MFRC522_StopCrypto1()
    return uid_to_num(uid)


def write_text(
    reader: MFRC522, key: Sequence[int], trailer: int, blocks: Sequence[int], text: str
) -> tuple[int, str] | None:
    """(number, the text that fits), as write_bytes(); filled up with spaces."""
    size = 16 * len(blocks)
    number = write_bytes(reader, key, trailer, blocks, text.ljust(size).encode("ascii"))
    return None if number is None else (number, text[:size])
