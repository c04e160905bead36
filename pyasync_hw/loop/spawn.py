"""subprocess.Popen that starts a program by one native call (csrc/base/child.c)."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import Any

from .._core import Child, _can_spawn, _spawn

__all__ = ["Popen"]

_standard_fork_exec = subprocess._fork_exec  # type: ignore[attr-defined]

_INHERITED = (-1, -1, -1, -1, -1, -1)  # no pipe, no redirection


def _argument_list(args: Any, shell: Any, executable: Any) -> list[Any]:
    arguments: list[Any]
    if type(args) is tuple or type(args) is list:  # to ask for an os.PathLike is slow
        arguments = list(args)
    elif isinstance(args, (str, bytes)):
        arguments = [args]
    elif isinstance(args, os.PathLike):
        if shell:
            raise TypeError("path-like args is not allowed when shell is true")
        arguments = [args]
    else:
        arguments = list(args)
    if shell:
        arguments = ["/bin/sh", "-c", *arguments]
        if executable:
            arguments[0] = executable
    return arguments


def _environment(env: Any) -> list[bytes] | None:
    if env is None:
        return None
    variables = []
    for key, value in env.items():
        key = os.fsencode(key)
        if b"=" in key:
            raise ValueError("illegal environment variable name")
        variables.append(key + b"=" + os.fsencode(value))
    return variables


def _candidates(executable: Any, env: Any) -> list[bytes] | None:
    """Where a program without a folder may be; None: it has one."""
    if type(executable) is str and "/" in executable:
        return None
    program = os.fsencode(executable)
    if b"/" in program:
        return None
    return [os.path.join(os.fsencode(folder), program) for folder in os.get_exec_path(env)]


class Popen(subprocess.Popen[bytes]):
    """By the native call where that can do it, else as ever."""

    child: Child | None = None

    def _execute_child(
        self,
        args: Any,
        executable: Any,
        preexec_fn: Any,
        close_fds: Any,
        pass_fds: Any,
        cwd: Any,
        env: Any,
        startupinfo: Any,
        creationflags: Any,
        shell: Any,
        p2cread: int,
        p2cwrite: int,
        c2pread: int,
        c2pwrite: int,
        errread: int,
        errwrite: int,
        restore_signals: Any,
        gid: Any,
        gids: Any,
        uid: Any,
        umask: int,
        start_new_session: Any,
        process_group: int,
    ) -> None:
        if (
            preexec_fn is not None
            or gid is not None
            or gids is not None
            or uid is not None
            # Somebody has switched vfork off, or taken exec over: a debugger.
            or not getattr(subprocess, "_USE_VFORK", True)
            or subprocess._fork_exec is not _standard_fork_exec  # type: ignore[attr-defined]
            or not _can_spawn()  # an emulator
        ):
            super()._execute_child(  # type: ignore[misc]
                args, executable, preexec_fn, close_fds, pass_fds, cwd, env,
                startupinfo, creationflags, shell,
                p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite,
                restore_signals, gid, gids, uid, umask, start_new_session, process_group,
            )  # fmt: skip
            return

        args = _argument_list(args, shell, executable)
        if executable is None:
            executable = args[0]
        sys.audit("subprocess.Popen", executable, args, cwd, env)
        variables = _environment(env)
        handles = (p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
        if min(handles) < -1:  # -1 is none
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        self.child = child = _spawn(
            executable,
            _candidates(executable, env),
            args,
            variables,
            cwd,
            tuple(sorted(set(map(int, pass_fds)))) if pass_fds else (),
            close_fds,
            handles,
            restore_signals,
            start_new_session,
            process_group,
            umask,
        )
        self.pid = child.pid
        self._child_created = True
        if handles == _INHERITED:
            self._closed_child_pipe_fds = True
        else:
            self._close_pipe_fds(*handles)  # type: ignore[attr-defined]

    def _get_handles(self, stdin: Any, stdout: Any, stderr: Any) -> tuple[int, ...]:
        if stdin is None and stdout is None and stderr is None:
            return _INHERITED
        handles: tuple[int, ...] = super()._get_handles(stdin, stdout, stderr)  # type: ignore[misc]
        return handles
