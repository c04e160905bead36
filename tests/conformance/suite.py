"""Runs test_asyncio module by module and keeps score.

Every module runs in a process of its own (`child.py`).  Where a test hangs or
crashes, that test has failed and a new process goes on with those after it.  A
test that failed runs again, alone with the others that failed; if it then passes
it counts as passed and is listed as flaky.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ASYNCIO = "asyncio:SelectorEventLoop"
OURS = "pyasync_hw:new_event_loop"
TEST_LIMIT = 30.0  # s
MODULE_LIMIT = 600.0  # s

NO_TESTS = (
    "this Python came without its test suite "
    f"(Debian: apt install libpython3.{sys.version_info.minor}-testsuite)"
)

# White-box tests of one class of asyncio, or not Linux.
NOT_ABOUT_LOOPS = ("selector_events", "proactor_events", "windows_events", "windows_utils")


@dataclass
class Outcome:
    status: str  # passed, failed, hang, crash, skipped
    loops: int = 0  # loops that this test made through asyncio
    text: str = ""
    flaky: bool = False

    @property
    def bad(self) -> bool:
        return self.status in ("failed", "hang", "crash")


@dataclass
class Score:
    """What one loop made of some modules; ids are unittest's."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        self.outcomes.update(other.outcomes)
        self.left_out.update(other.left_out)
        self.notes += other.notes

    @property
    def failed(self) -> dict[str, Outcome]:
        return {name: o for name, o in sorted(self.outcomes.items()) if o.bad}

    @property
    def flaky(self) -> list[str]:
        return sorted(name for name, o in self.outcomes.items() if o.flaky)

    @property
    def passed_with_loop(self) -> set[str]:
        """Tests that passed and really made the loop under test."""
        return {name for name, o in self.outcomes.items() if o.status == "passed" and o.loops}

    @property
    def passed_without_loop(self) -> set[str]:
        return {name for name, o in self.outcomes.items() if o.status == "passed" and not o.loops}

    def summary(self) -> str:
        skipped = sum(o.status == "skipped" for o in self.outcomes.values())
        return (
            f"{len(self.passed_with_loop)} passed, {len(self.failed)} failed, "
            f"{skipped} skipped, {len(self.passed_without_loop)} passed without making a loop, "
            f"{len(self.left_out)} left out, {len(self.flaky)} flaky"
        )


def modules() -> list[str]:
    """The modules of this interpreter's test_asyncio that are about event loops.

    Empty where the interpreter came without its test suite.
    """
    try:
        spec = importlib.util.find_spec("test.test_asyncio")
    except ModuleNotFoundError:
        return []
    if spec is None or spec.origin is None:
        return []
    names = (path.stem for path in sorted(Path(spec.origin).parent.glob("test_*.py")))
    return [
        f"test.test_asyncio.{name}"
        for name in names
        if name.removeprefix("test_") not in NOT_ABOUT_LOOPS
    ]


def exclusions() -> list[tuple[str, str]]:
    rules = []
    for line in (HERE / "exclusions.txt").read_text().splitlines():
        pattern, _, reason = line.partition("  # ")
        if pattern and not pattern.startswith("#"):
            rules.append((pattern.strip(), reason.strip()))
    return rules


def where_loop_is(loop: str) -> list[str]:
    """The folder from which the loop's package is imported here, for the child."""
    spec = importlib.util.find_spec(loop.partition(":")[0].partition(".")[0])
    if spec is None or spec.origin is None:
        raise SystemExit(f"no module for the loop {loop!r}: give MODULE:FACTORY")
    origin = Path(spec.origin)
    return [str(origin.parents[1] if origin.name == "__init__.py" else origin.parent)]


def run_module(
    module: str,
    loop: str,
    *,
    glob: str = "*",
    path: Iterable[str] = (),
    limit: float = TEST_LIMIT,
    retries: int = 2,
) -> Score:
    """Run one module to its end, however many processes that takes."""
    job: dict[str, object] = {
        "module": module,
        "loop": loop,
        "glob": glob,
        "limit": limit,
        "path": [*path, *where_loop_is(loop)],
        "exclusions": exclusions(),
    }
    score = _until_complete(job, None)
    for _ in range(retries):
        # a test that hung has had its time
        again = [name for name, o in score.failed.items() if o.status != "hang"]
        if not again:
            break
        second = _until_complete(job, again)
        for name in again:
            outcome = second.outcomes.get(name)
            if outcome is not None and outcome.status == "passed":
                outcome.flaky, outcome.text = True, score.outcomes[name].text
                score.outcomes[name] = outcome
    return score


def _until_complete(job: dict[str, object], only: list[str] | None) -> Score:
    score = Score()
    while True:
        before = len(score.outcomes)
        if _one_process({**job, "only": only, "finished": list(score.outcomes)}, score):
            return score
        if len(score.outcomes) == before:
            # not even one test was reached: no use in trying for ever
            score.outcomes[f"{job['module']}.(process)"] = Outcome(
                "crash", text="\n".join(score.notes)
            )
            return score


def _one_process(job: dict[str, object], score: Score) -> bool:
    """Run one child; True when it came to its own end."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        report, log = Path(folder, "report"), Path(folder, "log")
        report.touch()
        job_file = Path(folder, "job.json")
        job_file.write_text(json.dumps({**job, "report": str(report)}))
        cwd = Path(folder, "cwd")
        cwd.mkdir()
        with log.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-P", "-X", "faulthandler", str(HERE / "child.py"), job_file],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=cwd,
            )
            try:
                status = child.wait(MODULE_LIMIT)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                # the session is the child's own: this takes what its tests left behind
                with contextlib.suppress(ProcessLookupError):  # all gone already
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        return _read_report(report, log, status, str(job["module"]), score)


def _read_report(report: Path, log: Path, status: int | None, module: str, score: Score) -> bool:
    running = None
    complete = False
    for line in report.read_text().splitlines():
        event = json.loads(line)
        if "begin" in event:
            running = event["begin"]
        elif "end" in event:
            running = None
            score.outcomes[event["end"]] = Outcome(event["outcome"], event["loops"], event["text"])
        elif "left_out" in event:
            score.left_out[event["left_out"]] = event["reason"]
        elif "module_skipped" in event:
            score.notes.append(f"{module}: skipped: {event['module_skipped']}")
        elif "complete" in event:
            complete = True
    if complete:
        return True
    tail = log.read_text(errors="replace")[-3000:]
    if status is None:
        what, why = "hang", f"the module did not end in {MODULE_LIMIT:.0f} s"
    elif status < 0:
        what, why = "crash", f"killed by {signal.Signals(-status).name}"
    elif "Timeout (" in tail:
        what, why = "hang", "over the time limit"
    else:
        what, why = "crash", f"the process ended with status {status}"
    if running is not None:
        score.outcomes[running] = Outcome(what, 1, f"{why}\n{tail}")
    else:
        score.notes.append(f"{module}: {why}, between two tests\n{tail}")
    return False
