"""A project of its own for each test, and a way to call the command line in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.cli.init import project_files
from engine.cli.main import app


@dataclass
class Called:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Bench = Callable[..., Called]


@pytest.fixture(scope="session")
def new_project() -> dict[str, str]:
    return project_files("test_bench")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_project: dict[str, str]) -> Path:
    root = tmp_path / "bench"
    for name, text in new_project.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("BENCHWRIGHT_DEBUG", raising=False)
    return root


@pytest.fixture
def bench(project: Path) -> Bench:
    def call(*arguments: str) -> Called:
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        return Called(result.exit_code, result.stdout, result.stderr)

    return call


QUICK = """\
sequence: quick
title: Output voltage at room temperature
version: 2.0.0
needs: {psu: power_supply, dmm: multimeter}
parameters:
  vin: {default: 5 V, min: 3.6 V, max: 12 V}
limits:
  vout: {nominal: 3.3 V, tolerance: 2 %}
limit_sets:
  tight: {vout: {nominal: 3.3 V, tolerance: 0.0001 %}}
setup:
  - set: {psu.voltage: "{{ vin }}", psu.current_limit: 600 mA, psu.output: on}
steps:
  - sweep: {i: [1, 2, 3]}
    each:
      - measure: vout
        from: dmm.voltage_dc
cleanup:
  - set: {psu.output: off}
"""


@pytest.fixture
def quick(project: Path) -> str:
    """The id of a sequence that takes no time."""
    (project / "sequences" / "quick.yaml").write_text(QUICK, encoding="utf-8")
    return "quick"
