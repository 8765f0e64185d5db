"""What `benchwright.yaml` in a project may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import FileId, Model, PlainDuration

SETTINGS_FILE = "benchwright.yaml"
PREFIX = "BENCHWRIGHT__"
"""Of environment variables that override the file: `BENCHWRIGHT__LOGGING__LEVEL`."""

ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$", max_length=200)]
PathText = Annotated[str, Field(min_length=1, max_length=1000)]


class LoggingSettings(Model):
    """What the program writes about itself."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least serious messages kept."""
    file: PathText | None = None
    """Where they go, relative to the project; the terminal unless given."""
    format: Literal["text", "json"] = "text"
    """`text`: time, level and message; `json`: one document a line."""


class ReportSettings(Model):
    """What a report looks like."""

    company: Annotated[str, Field(max_length=200)] = ""
    """The name in its header."""
    logo: PathText | None = None
    """An image for its header, relative to the project."""
    charts: bool = True
    """Whether swept values are drawn."""


class Settings(Model):
    """Settings of a project; the environment overrides them."""

    results: PathText = "results"
    """The folder of journal and reports, relative to the project."""
    station: FileId | None = None
    """The station used where a command names none."""
    logging: LoggingSettings = LoggingSettings()
    """What the program writes about itself."""
    report: ReportSettings = ReportSettings()
    """What a report looks like."""
    plugins: list[ModuleName] = []
    """Modules of the project that `python:` steps may use."""
    cleanup_timeout: PlainDuration = 30.0
    """How long cleanup may still take after a second request to stop."""
