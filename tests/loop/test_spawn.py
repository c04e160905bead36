"""Our Popen starts programs as subprocess.Popen does: same child, same errors."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from subprocess import DEVNULL, PIPE, STDOUT

import pytest
from processes import nothing_left

import pyasync_hw
from pyasync_hw.loop import spawn

PROBE = r"""
import json, os, resource, sys
def facts():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    yield "fds", [fd for fd in range(256) if os.path.lexists(f"/proc/self/fd/{fd}")]
    masks = [int(status[name], 16) for name in ("SigBlk", "SigIgn", "ShdPnd")]
    yield "signals", [mask & ~(3 << 31) for mask in masks]  # not those of the C library
    yield "session", os.getsid(0) == os.getpid()
    yield "group", os.getpgid(0) == os.getpid()
    yield "umask", os.umask(0)
    yield "cwd", os.getcwd()
    readline_sets = "COLUMNS", "LINES"  # behind the back of os.environ
    yield "env", sorted(item for item in os.environ.items() if item[0] not in readline_sets)
    yield "argv", sys.argv
    yield "stdio", [os.readlink(f"/proc/self/fd/{fd}").split(":")[0] for fd in (0, 2)]
sys.stdout.write(json.dumps(dict(facts())))
"""


@pytest.fixture(autouse=True)
def _nothing_left():
    with nothing_left():
        yield


@pytest.fixture
def native(monkeypatch):
    """Calls of the native spawn."""
    calls = []
    native_spawn = spawn._spawn
    monkeypatch.setattr(spawn, "_spawn", lambda *args: calls.append(args) or native_spawn(*args))
    return calls


def probe(popen, args=(), **kwargs):
    argv = [sys.executable, "-I", "-c", PROBE, *args]
    with popen(argv, stdout=PIPE, **kwargs) as process:
        out, err = process.communicate(timeout=30)
    return process.returncode, json.loads(out), err


@pytest.fixture
def inheritable():
    fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
    for fd in fds:
        os.set_inheritable(fd, True)
    yield fds
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"close_fds": False},
        {"restore_signals": False},
        {"start_new_session": True},
        {"process_group": 0},
        {"umask": 0o027},
        {"cwd": "/usr"},
        {"cwd": b"/usr"},
        {"env": {}},
        {"env": {"A": "1", b"B": b"\xff", "LANG": "C"}},
        {"stdin": DEVNULL, "stderr": DEVNULL},
        {"stdin": PIPE, "stderr": PIPE},
        {"stderr": STDOUT},
        {"bufsize": 0},
    ],
    ids=str,
)
def test_the_child_is_the_same(kwargs, inheritable, native):
    ours, standard = (
        probe(popen, ["a", "ü", ""], **kwargs) for popen in (spawn.Popen, subprocess.Popen)
    )
    assert {name: fact for name, fact in ours[1].items() if fact != standard[1][name]} == {}
    assert ours == standard
    assert len(native) == 1


def test_descriptors_passed_are_the_same(inheritable, native):
    private = os.open("/dev/null", os.O_RDONLY)
    try:
        passed = [inheritable[2], private, inheritable[2]]
        ours, standard = (probe(p, pass_fds=passed) for p in (spawn.Popen, subprocess.Popen))
        assert ours == standard
        assert ours[1]["fds"] == sorted({0, 1, 2, inheritable[2], private})
        assert not os.get_inheritable(private)
    finally:
        os.close(private)
    assert len(native) == 1


def test_blocked_and_ignored_signals_are_inherited(native):
    def both():
        ours, standard = (probe(p, restore_signals=False) for p in (spawn.Popen, subprocess.Popen))
        assert ours == standard
        return ours[1]["signals"]

    plain = both()
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    ignored = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        changed = both()
    finally:
        signal.signal(signal.SIGUSR2, ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
    assert [a ^ b for a, b in zip(plain, changed, strict=True)] == [
        1 << signal.SIGUSR1 - 1,
        1 << signal.SIGUSR2 - 1,
        0,
    ]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == old


def test_standard_descriptors_swapped(tmp_path, native):
    """Each becomes another's number: none may be overwritten before it is copied."""
    script = "read x; echo out $x; echo err $x >&2"
    for order in [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2)]:
        said = []
        for popen in (spawn.Popen, subprocess.Popen):
            saved = [os.dup(fd) for fd in range(3)]
            files = [tmp_path / name for name in ("in", "out", "err")]
            files[0].write_text("word\n")
            opened = [
                os.open(f, os.O_RDWR | os.O_CREAT | os.O_TRUNC * (f.name != "in")) for f in files
            ]
            try:
                for role, fd in enumerate(order):
                    os.dup2(opened[role], fd)
                process = popen(
                    ["/bin/sh", "-c", script], stdin=order[0], stdout=order[1], stderr=order[2]
                )
                process.wait()
            finally:
                for fd in range(3):
                    os.dup2(saved[fd], fd)
                for fd in saved + opened:
                    os.close(fd)
            said.append([f.read_text() for f in files[1:]])
        assert said[0] == said[1] == ["out word\n", "err word\n"], order


def test_with_the_standard_descriptors_closed(native):
    code = """
import os, sys
sys.path[:0] = {path!r}
from pyasync_hw.loop.spawn import Popen
from subprocess import PIPE
saved = os.dup(2)
for closed in [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]:
    keep = [os.dup(fd) for fd in range(3)]
    for fd in closed:
        os.close(fd)
    with Popen(["/bin/sh", "-c", "cat; echo err >&2"], stdin=PIPE, stdout=PIPE, stderr=PIPE) as p:
        said = p.communicate(b"x")
    for fd, copy in enumerate(keep):
        os.dup2(copy, fd)
        os.close(copy)
    assert said == (b"x", b"err\\n"), (closed, said)
print("ok")
"""
    done = subprocess.run(
        [sys.executable, "-c", code.format(path=sys.path)], capture_output=True, text=True
    )
    assert done.stdout == "ok\n", done.stderr


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (["/nowhere/program"], {}),
        (["program-that-is-not-there"], {}),
        ([b"/nowhere/\xff"], {}),
        (["/tmp"], {}),
        (["/etc/passwd"], {}),
        (["/etc/passwd/below"], {}),
        (["/bin/true"], {"cwd": "/nowhere"}),
        (["/bin/true"], {"cwd": "/etc/passwd"}),
        (["true"], {"executable": "/nowhere/else"}),
        (["true"], {"env": {"PATH": "/nowhere:/etc/passwd"}}),
        (["true\0"], {}),
        (["/bin/true", "a\0b"], {}),
        (["/bin/true"], {"cwd": "a\0b"}),
        (["/bin/true"], {"env": {"A": "a\0b"}}),
        (["/bin/true"], {"env": {"A=B": "c"}}),
        (["/bin/true"], {"env": {"A": 3}}),
        (["/bin/true", 3], {}),
        ([3], {}),
        ([], {}),
        ("", {}),
        ("/nowhere", {"shell": False}),
        (["/bin/true"], {"process_group": 2**22 + 1}),
        (["/bin/true"], {"pass_fds": [999]}),
        (["/bin/true"], {"pass_fds": [-1]}),
        (["true"], {"stdout": 999}),
        (["true"], {"stdout": -5}),
        (["/bin/true"], {"pass_fds": ["x"]}),
        (["/bin/true"], {"umask": "x"}),
        (["/bin/true"], {"start_new_session": True, "process_group": 0, "cwd": "/nowhere"}),
    ],
    ids=str,
)
def test_errors_are_the_same(args, kwargs):
    raised = []
    for popen in (spawn.Popen, subprocess.Popen):
        with pytest.raises(Exception) as caught:
            popen(args, **{"stdin": PIPE, "stdout": PIPE, "stderr": DEVNULL, **kwargs})
        exc = caught.value
        raised.append((type(exc), getattr(exc, "errno", None), getattr(exc, "filename", None)))
        del caught, exc
    assert raised[0] == raised[1]


@pytest.mark.parametrize("shell", [False, True])
@pytest.mark.parametrize("args", ["pwd", b"pwd", ["echo", "$0", "a"]], ids=str)
def test_shells_and_search_paths_are_the_same(args, shell, native):
    if isinstance(args, list) and shell:
        args = ["echo $0 $1", "zero", "one"]
    said = [
        popen(args, shell=shell, stdout=PIPE).communicate()
        for popen in (spawn.Popen, subprocess.Popen)
    ]
    assert said[0] == said[1]
    assert len(native) == 1


def test_a_name_is_searched_in_the_childs_path(tmp_path, native):
    program = tmp_path / "b" / "program-of-the-test"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a" / program.name).write_text("not executable")
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    env = {"PATH": f"/nowhere:{tmp_path}/a:{tmp_path}/b"}
    with spawn.Popen([program.name], env=env, stdout=PIPE) as process:
        assert process.communicate()[0] == b"found\n"
    assert len(native) == 1


def test_the_environment_of_now_is_inherited(monkeypatch, native):
    monkeypatch.setenv("PYASYNC_HW_TEST", "first")
    assert ["PYASYNC_HW_TEST", "first"] in probe(spawn.Popen)[1]["env"]
    monkeypatch.delenv("PYASYNC_HW_TEST")
    assert "PYASYNC_HW_TEST" not in dict(probe(spawn.Popen)[1]["env"])


@pytest.mark.parametrize(
    "kwargs",
    [
        {"preexec_fn": lambda: os.write(1, b"before ")},
        {"user": os.getuid()},
        {"group": os.getgid()},
    ],
    ids=["preexec_fn", "user", "group"],
)
def test_what_must_not_share_memory_is_left_to_the_standard_popen(kwargs, native):
    with spawn.Popen(["/bin/echo", "x"], stdout=PIPE, **kwargs) as process:
        assert process.communicate()[0].endswith(b"x\n")
    assert process.returncode == 0
    assert not native


def test_under_an_emulator_the_standard_popen_starts_the_child(monkeypatch, native):
    monkeypatch.setattr(spawn, "_can_spawn", lambda: False)
    with pytest.raises(FileNotFoundError) as caught:
        spawn.Popen(["/nowhere"])
    assert caught.value.filename == "/nowhere"
    assert spawn.Popen(["/bin/true"]).wait() == 0
    assert not native


def test_vfork_switched_off_or_exec_taken_over(monkeypatch, native):
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "_USE_VFORK", False, raising=False)
        assert spawn.Popen(["/bin/true"]).wait() == 0
    taken = []
    fork_exec = subprocess._fork_exec
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "_fork_exec", lambda *a: taken.append(a) or fork_exec(*a))
        patch.setattr(subprocess, "_USE_POSIX_SPAWN", False)  # what would not ask for it
        assert spawn.Popen(["/bin/true"]).wait() == 0
    assert len(taken) == 1
    assert not native


def test_the_audit_event_is_raised():
    code = """
import sys
sys.path[:0] = {path!r}
from pyasync_hw.loop.spawn import Popen
seen = []
sys.addaudithook(lambda name, args: seen.append(args) if name == "subprocess.Popen" else None)
Popen(["/bin/true", "x"], cwd="/", env={{}}).wait()
assert seen == [("/bin/true", ["/bin/true", "x"], "/", {{}})], seen

def forbid(name, args):
    if name == "subprocess.Popen":
        raise PermissionError("not here")

sys.addaudithook(forbid)
try:
    Popen(["/bin/true"])
except PermissionError:
    print("ok")
"""
    done = subprocess.run(
        [sys.executable, "-c", code.format(path=sys.path)], capture_output=True, text=True
    )
    assert done.stdout == "ok\n", done.stderr


def test_a_running_popen_that_is_dropped_warns():
    process = spawn.Popen(["/bin/sleep", "600"])
    pid = process.pid
    with pytest.warns(ResourceWarning, match=f"subprocess {pid} is still running"):
        del process
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    subprocess._cleanup()


def test_a_child_object_is_watched_once_and_only_by_our_loop():
    process = subprocess.Popen(["/bin/sleep", "600"])
    known = pyasync_hw._core.Child(process.pid)
    assert known.pid == process.pid
    assert known.fileno() >= 0
    foreign = asyncio.new_event_loop()
    loop = pyasync_hw.new_event_loop()
    with pytest.raises(TypeError, match=r"loop must be a pyasync_hw\.EventLoop"):
        known.watch(foreign, print)
    codes = []
    known.watch(loop, lambda code: (codes.append(code), loop.stop()))
    with pytest.raises(RuntimeError, match="watched once"):
        known.watch(loop, print)
    with pytest.raises(RuntimeError, match="watches this Child"):
        known.close()
    process.kill()
    loop.run_forever()
    assert codes == [-9]
    assert known.fileno() == -1
    assert process.wait() == 0  # collected already: what Popen says then
    with pytest.raises(OSError, match="pidfd_open"):
        pyasync_hw._core.Child(2**22 + 1)
    loop.close()
    foreign.close()
