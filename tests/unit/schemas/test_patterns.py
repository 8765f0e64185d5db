"""Patterns of users end in time, and mean the same to both engines that read them."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from schemas.patterns import Pattern, PatternError, TooSlow, check


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("schemas.patterns.TIMEOUT_S", 0.05)


@pytest.mark.parametrize(("pattern", "text"), [(r"(x+x+)+y", "x" * 5000), (r"(a|aa)+$", "a" * 300 + "c")])
def test_a_pattern_that_could_take_for_ever_is_given_up(impatient, pattern, text):
    began = time.monotonic()
    with pytest.raises(TooSlow, match="took longer than"):
        Pattern(pattern).fullmatch(text)
    with pytest.raises(TooSlow):
        Pattern(pattern).fullmatch(text)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("RC-8", "ACME,RC-8,1", True),
        (r"V=(\d+)\.(\d+)", "V=3.25", True),
        ("a|b", "c", False),
        ("ACME,.*", "OTHER", False),
    ],
)
def test_a_pattern_is_found_or_not(pattern, text, found):
    assert (Pattern(pattern).search(text) is not None) == found


@pytest.mark.parametrize(
    "pattern",
    [
        "(a",
        "*",
        r"\p{L}",
        r"[\w--a]",
        "[[:alpha:]]+",
        "(?:foo){e<=1}",
        "(?:foo){2i+1d<=3}",
        "a" * 501,
        "(?V1)a",
        r"(?<=a+)b",
    ],
)
def test_what_two_engines_read_differently_is_refused(pattern):
    with pytest.raises(PatternError):
        check(pattern)


@pytest.mark.parametrize(
    "pattern", [r"^[-+]?\d+(\.\d+)?([eE][-+]?\d+)?$", r"\{id\}", "[{}]x", "x{2}|y{1,3}", r'{"id": .*}', "(?i)ok"]
)
def test_honest_patterns_are_accepted(pattern):
    check(pattern)


@pytest.mark.parametrize("module", ["engine.verdict", "schemas.limits", "engine.bench", "engine.plan.compile"])
def test_the_second_engine_is_not_loaded_before_it_is_needed(module):
    code = f"import sys, {module}; from schemas.patterns import Pattern; Pattern('DMM.*').search('x'); print('regex' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
