"""What the README shows is what a reader gets: its transcript, its commands, its picture."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.main import app

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
COMMAND = Path(sys.executable).parent / "benchwright"


def shape(line: str) -> str:
    """A line without what differs from run to run: digits and the width of columns."""
    return " ".join(re.sub(r"\d+", "0", line).split())


@pytest.mark.slow
def test_the_transcript_is_that_of_the_shipped_run(tmp_path: Path) -> None:
    found = re.search(r"^```\n\$ benchwright (run .*?)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    done = subprocess.run(
        [COMMAND, *found[1].split(), "--results", tmp_path],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = iter([shape(line) for line in done.stdout.splitlines()])
    shown = [line for line in found[2].splitlines() if line.strip() not in ("", "…") and not line.startswith("run ")]
    assert len(shown) > 10
    for line in shown:
        assert any(shape(line) == other for other in printed), f"`{line}` is not in\n{done.stdout}"


def test_the_table_of_commands_has_every_command() -> None:
    table = README.split("## Commands")[1].split("##")[0]
    named = {
        word
        for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
        for word in re.findall(r"`(?:benchwright )?(\w+)", row)
    }
    registered = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert named - {"command"} == {name.strip("_") for name in registered}


def test_the_picture_is_there_and_small() -> None:
    picture = (ROOT / "docs" / "images" / "report.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 200_000


@pytest.mark.parametrize("page", sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))), ids=lambda page: page.name)
def test_no_page_names_a_path_of_a_machine(page: Path) -> None:
    assert re.search(r"(?<![\w.~$])/(?:home|root|work|tmp|Users|var)/", page.read_text()) is None
