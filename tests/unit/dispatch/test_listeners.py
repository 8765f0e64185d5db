"""Whoever listens to a run cannot touch it, and values reach the documents plain."""

from __future__ import annotations

import math
from enum import StrEnum

import pytest

from engine.dispatch.values import plain
from schemas.documents import Outcome


class Listener:
    def __init__(self, error=None, after=0):
        self.heard = []
        self.error, self.after = error, after

    def hear(self, document):
        self.heard.append(document)
        if self.error is not None and len(self.heard) > self.after:
            raise self.error


@pytest.mark.parametrize("error", [ValueError("no such unit"), RecursionError(), SystemExit(3), BrokenPipeError()])
def test_a_screen_that_raises_is_not_asked_again_and_the_run_goes_on(build, dsl, error):
    broken, other = Listener(error, after=2), Listener()
    steps = [build.measure("v", limit=dsl.between(3.0, 4.0)), build.check(dsl.formula("v > 3"))]
    run = dsl.run(dsl.plan(steps), dsl.Bench(values={"dmm.volts": 3.3}), listeners=[broken, other])
    assert run.outcome is Outcome.PASS
    assert len(broken.heard) == 3
    assert other.heard == run.documents


def test_what_a_listener_raised_is_kept_for_whoever_started_the_run(build, dsl):
    from engine.dispatch.emitter import Audience

    audience = Audience([Listener(ValueError("no such unit"))])
    audience.hear("a document")
    audience.hear("another")
    assert audience.lost == ["Listener stopped listening: ValueError: no such unit"]
    assert not audience


class Word(StrEnum):
    ON = "on"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (10**400, math.inf),
        (-(10**400), -math.inf),
        (3, 3.0),
        (Word.ON, "on"),
        ((1.0, 2.0), [1.0, 2.0]),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_any_value_becomes_a_plain_one(value, expected):
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)
