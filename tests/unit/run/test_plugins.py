"""Code of the project can fail in any way it likes; the run hears of it as an error of the step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import StepError
from engine.plan.model import PythonAction
from engine.run.plugins import call_plugin

CODE = """
import asyncio, decimal

def give(): return 4
def series(): return (1, 2.5)
def nothing(): return None
def leave(): raise SystemExit(0)
def cancelled(): raise asyncio.CancelledError("enough")
def base(): raise BaseException("odd")
def strange(): return object()
def huge(): return 10 ** 400
def money(): return decimal.Decimal("1.5")
def mixed(): return [1, "x"]
"""


@pytest.fixture
def call(tmp_path: Path) -> Callable[[str], Any]:
    module = f"plugin_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{module}.py").write_text(CODE)

    def ask(function: str) -> Any:
        return call_plugin(PythonAction(module, function, str(tmp_path), {}, None, None, None), {})

    return ask


@pytest.mark.parametrize(("function", "value"), [("give", 4.0), ("series", [1.0, 2.5]), ("nothing", None)])
def test_what_a_function_returns_comes_as_plain_values(call, function, value):
    assert call(function) == value


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("leave", "tried to end the program"),
        ("cancelled", "raised CancelledError: enough"),
        ("base", "raised BaseException: odd"),
        ("strange", "returned a object"),
        ("money", "returned a Decimal"),
        ("mixed", "a list with something in it that is no number"),
        ("huge", "too large"),
        ("missing", "has no function `missing`"),
    ],
)
def test_nothing_that_a_function_does_gets_past_its_step(call, function, said):
    with pytest.raises(StepError) as failed:
        call(function)
    assert said in failed.value.message


def test_a_prediction_calls_no_code_of_the_project(tmp_path):
    from engine.run.predict import predict
    from engine.run.request import RunRequest
    from engine.run.runner import prepare
    from schemas.library import Library
    from schemas.loading import load, load_text

    root = Path(__file__).resolve().parents[3]
    (tmp_path / "marker.py").write_text(f"def mark():\n    open({str(tmp_path / 'called')!r}, 'w').close()\n")
    sequence = load_text("sequence: once\nsteps:\n  - python: marker:mark\n", "once.yaml", "sequence")
    request = RunRequest(sequence, load(root / "stations/sim_bench.yaml", "station"), plugins=("marker",))
    predict(prepare(request, Library(root), tmp_path))
    assert not (tmp_path / "called").exists()
