"""The tutorial is carried out as a reader would: its files written, its edits made, its commands run, in order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "tutorial.md"
COMMANDS = Path(sys.executable).parent


@dataclass(frozen=True)
class Fence:
    """One fenced block: its line, the words behind the fence, its text."""

    line: int
    words: tuple[str, ...]
    text: str


def fences(text: str) -> Iterator[Fence]:
    for found in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Fence(text.count("\n", 0, found.start()) + 1, tuple(found[1].split()), found[2])


@dataclass
class Reader:
    """Somebody at a terminal, somewhere in the project."""

    folder: Path
    home: Path
    code: int = 0

    def follow(self, fence: Fence) -> None:
        match fence.words:
            case ("console",):
                self.type(fence)
            case ("yaml", _, name):
                path = self.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(fence.text)
            case ("diff", name):
                self.edit(self.folder / name, fence)

    def edit(self, path: Path, fence: Fence) -> None:
        lines = fence.text.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] != "+")
        new = "".join(line[1:] for line in lines if line[0] != "-")
        text = path.read_text()
        assert text.count(old) == 1, f"line {fence.line}: this edit does not fit {path.name}"
        path.write_text(text.replace(old, new))

    def type(self, fence: Fence) -> None:
        """Run each command; what the page shows of its output must be in its output, in that order."""
        command, expected, at = "", [], fence.line
        for number, line in enumerate([*fence.text.splitlines(), "$ "], start=fence.line + 1):
            if not line.startswith("$ "):
                expected.append(line)
                continue
            if command == "echo $?":
                assert expected == [str(self.code)], f"line {at}: the exit code is {self.code}"
                self.code = 0
            elif command:
                self.run(command, expected, at)
            command, expected, at = line[2:], [], number

    def run(self, command: str, expected: list[str], at: int) -> None:
        assert self.code == 0, f"the command before line {at} ended with {self.code}, and the page does not say so"
        words = shlex.split(command)
        if words[0] == "cd":
            self.folder /= words[1]
            return
        done = subprocess.run(
            [COMMANDS / words[0], *words[1:]],
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.home), "COLUMNS": "200", "PYTHONUTF8": "1", "TERM": "dumb"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.code = done.returncode
        output = done.stdout + done.stderr
        assert "internal error" not in output, f"line {at}: {output}"
        left = iter(output.splitlines())
        for line in expected:
            pattern = re.compile(r"\s*" + r".*".join(spaced(part) for part in line.split("...")) + r"\s*")
            assert any(pattern.fullmatch(found) for found in left), f"line {at}: `{line}` is not in\n{output}"


def spaced(text: str) -> str:
    """A pattern for a text in which any amount of blanks is as good as one."""
    head = r"\s*" if text[:1].isspace() else ""
    tail = r"\s*" if text[-1:].isspace() else ""
    return head + r"\s+".join(re.escape(word) for word in text.split()) + tail


@pytest.mark.slow
def test_a_reader_who_follows_the_tutorial_sees_what_it_says(tmp_path: Path) -> None:
    reader = Reader(tmp_path, tmp_path)
    for fence in fences(PAGE.read_text()):
        reader.follow(fence)
    assert reader.code == 0
    assert (reader.folder / "rows.csv").read_text().count("\n") > 3
    assert (reader.folder / "report.html").read_text().startswith("<!")


def test_make_run_does_what_the_tutorial_says() -> None:
    recipe = (ROOT / "Makefile").read_text()
    assert re.search(
        r"^run:.*\n\t\$\(BIN\)/benchwright run sequences/ldo_tempco\.yaml --station ", recipe, re.MULTILINE
    )
