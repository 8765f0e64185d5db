"""What a run leaves for others: rows as csv and jsonl, one HTML page, one JSON document."""

from __future__ import annotations

from engine.output.export import FORMATS, write_csv, write_jsonl
from engine.output.files import report_name, written_whole
from engine.output.report import ReportSettings, html_report
from engine.output.run_json import run_as_json

__all__ = [
    "FORMATS",
    "ReportSettings",
    "html_report",
    "report_name",
    "run_as_json",
    "write_csv",
    "write_jsonl",
    "written_whole",
]
