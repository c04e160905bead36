"""What follows from samples: whose the time is, and of which nothing is known."""

import sys

import pytest

from pyasync_hw.loop.sampler import BUSY_MAX, Findings, Sample

A, B = ("/app/a.py", 1, "a"), ("/app/b.py", 2, "b")
QUICK = sys.getswitchinterval()  # bytecode that computes lets the GIL go after that
LONG = QUICK + 0.1


def sample(line, looked, waited=0.0, worked=None, watched=0.0):
    return Sample(watched, looked, waited, waited if worked is None else worked, [line])


def every(step, line, begin, end):
    """Samples of a line that runs from begin to end."""
    count = round((end - begin) / step)
    return [sample(line, begin + i * step, watched=begin + (i - 1) * step) for i in range(count)]


def named(findings):
    return findings.stack[findings.blamed] if findings.stack else None


def test_without_samples_nothing_is_known():
    for seconds in (0.0, QUICK, 1.0):
        findings = Findings([], seconds)
        assert (findings.stack, findings.share, findings.until) == ([], 0, None)
        assert findings.unseen == pytest.approx(seconds if seconds > QUICK else 0.0, rel=0.02)


def test_a_sample_stands_for_the_time_since_the_last():
    findings = Findings([sample(A, 0.3), sample(B, 0.4, watched=0.3)], 0.41)
    assert named(findings) == A
    assert findings.share == pytest.approx(0.75)
    assert findings.unseen == 0


def test_waiting_for_the_gil_as_long_as_bytecode_keeps_it_is_no_hole():
    findings = Findings([sample(A, 0.1, QUICK), sample(A, 0.2, QUICK, watched=0.1)], 0.2)
    assert (named(findings), findings.share, findings.unseen) == (A, 1.0, 0.0)


def test_the_time_in_which_the_gil_was_kept_is_nobodys():
    samples = [sample(A, LONG + 0.01, LONG), sample(B, LONG + 0.05, watched=LONG + 0.01)]
    findings = Findings(samples, LONG + 0.05)
    assert named(findings) is None
    assert findings.unseen == pytest.approx(LONG)
    assert findings.until == A


def test_a_line_that_took_longer_than_the_gil_was_kept_is_named():
    samples = [sample(A, LONG, LONG), *every(0.01, B, LONG + 0.01, LONG + 0.5)]
    findings = Findings(samples, LONG + 0.5)
    assert named(findings) == B
    assert findings.unseen == pytest.approx(LONG)
    assert findings.share == pytest.approx(0.5 / (LONG + 0.5), abs=0.02)


def test_a_busy_machine_is_not_code_that_keeps_the_gil():
    waited = BUSY_MAX - 0.01
    assert waited > QUICK
    findings = Findings([sample(A, 0.1, waited, worked=0.001)], 0.1)
    assert (named(findings), findings.unseen) == (A, 0.0)


def test_code_that_sleeps_and_keeps_the_gil():
    waited = BUSY_MAX + 0.1
    findings = Findings([sample(A, 0.3, waited, worked=0.0)], 0.3)
    assert (named(findings), findings.unseen) == (None, waited)


def test_time_before_anybody_was_there_to_look_is_nobodys():
    """As when the watch began late, or its thread did not get the GIL to begin."""
    findings = Findings([sample(A, 1.05, watched=1.0)], 1.05)
    assert (named(findings), findings.unseen, findings.until) == (None, 1.0, A)


def test_time_after_the_last_sample_is_nobodys_when_there_should_have_been_one():
    samples = every(0.01, A, 0.01, 0.1)
    assert named(Findings(samples, 0.1)) == A
    findings = Findings(samples, 1.0)
    assert (named(findings), findings.until) == (None, None)
    assert findings.unseen > 0.85


def test_the_standard_library_and_this_package_are_not_to_blame():
    library = (sys.modules["threading"].__file__, 5, "wait")
    frozen = ("<frozen importlib._bootstrap>", 5, "load")
    installed = (sys.modules["pytest"].__file__, 5, "main")
    stack = [library, frozen, installed, A]
    findings = Findings([Sample(0.0, 0.1, 0.0, 0.0, stack)], 0.1)
    assert named(findings) == (installed if "site-packages" in installed[0] else A)
    findings = Findings([Sample(0.0, 0.1, 0.0, 0.0, [library, frozen])], 0.1)
    assert named(findings) == library
