"""The shim of shim.c: built, preloaded into a process, and armed there."""

from __future__ import annotations

import ctypes
import errno
import subprocess
import sysconfig
from pathlib import Path

from pyasync_hw import _core

SOURCE = Path(__file__).with_name("shim.c")
MEMORY = ("PyMem", "malloc", "calloc", "realloc")

# What each call may fail with, of what its manual page or a container's filter says.
ERRORS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(MEMORY, (errno.ENOMEM,)),
    "epoll_create1": (errno.EMFILE, errno.ENOMEM, errno.ENOSYS, errno.EPERM),
    "epoll_ctl": (errno.ENOMEM, errno.ENOSPC, errno.EPERM),  # EBADF says that a file is closed
    "epoll_wait": (errno.EINTR, errno.EBADF, errno.EPERM),
    "eventfd": (errno.EMFILE, errno.ENOMEM, errno.ENOSYS, errno.EPERM),
    "read": (errno.EINTR,),
    "write": (errno.EINTR,),
    "poll": (errno.EINTR, errno.ENOMEM),
    "ppoll": (errno.EINTR, errno.ENOMEM, errno.ENOSYS),
    "waitid": (errno.EINTR, errno.ENOSYS, errno.ECHILD),
    "waitpid": (errno.EINTR, errno.ECHILD),
    "pthread_create": (errno.EAGAIN, errno.EPERM, errno.ENOMEM),
    "syscall": (errno.ENOSYS, errno.EPERM, errno.EMFILE, errno.ENOMEM, errno.EINTR, errno.EBADF),
    "prctl": (errno.EPERM, errno.ENOSYS),
}


def build(folder: Path) -> Path:
    library = folder / "shim.so"
    include = sysconfig.get_path("include")
    command = ["gcc", "-shared", "-fPIC", "-O1", "-g", "-Wall", "-Wl,-z,lazy"]
    subprocess.run(
        [*command, f"-I{include}", str(SOURCE), "-o", str(library), "-ldl", "-pthread"],
        check=True,
    )
    return library


class Shim:
    """In the process into which it was preloaded."""

    def __init__(self) -> None:
        self._library = ctypes.PyDLL(None)
        self._library.shim_arm.argtypes = [ctypes.c_char_p, *[ctypes.c_int] * 3]
        self._library.shim_ours.argtypes = [ctypes.c_void_p] * 2
        with open("/proc/self/maps") as maps:
            code = [line.split()[0] for line in maps if _core.__file__ in line and "r-xp" in line]
        begin, end = (int(one, 16) for one in code[0].split("-"))
        self._library.shim_ours(begin, end)
        self._library.shim_hook_python()
        self.disarm = self._library.shim_disarm  # how many calls there were

    def arm(self, call: str, first: int, count: int, error: int) -> None:
        """`count` calls fail, after the first `first`."""
        self._call = call.encode()  # it keeps the pointer
        self._library.shim_arm(self._call, first, first + count, error)
