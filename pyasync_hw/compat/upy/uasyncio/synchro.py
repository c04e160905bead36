"""`uasyncio.synchro`, where the lock was up to 2019."""

from .lock import Lock

__all__ = ["Lock"]
