"""Whether multiprocessing has its semaphores here: they are files in /dev/shm."""

from __future__ import annotations

import functools
import multiprocessing


@functools.cache
def has_semaphores() -> bool:
    """False in a folder with a bare Debian, say, where only root may write there."""
    try:
        multiprocessing.get_context("fork").Lock()  # has no name any more, when it is made
    except (ImportError, OSError):
        return False
    return True
