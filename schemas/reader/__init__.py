"""YAML text to plain data and where each value stood; the only place that parses YAML.

`yaml.load` on a user's file is banned: its recursion crashes the process at some thousand nested brackets, which
nothing can catch, and a chain of merge keys of thirty lines takes for ever. Here libyaml only delivers events;
values, positions and limits are ours, and whatever is wrong becomes a diagnostic with the caret at its cause.

Codes: Y001 not a readable file, Y002 encoding, Y003 too large, Y004 control characters, Y005 misleading
characters, Y006 merge conflict, Y007 empty, Y008 tags, Y009 directives, Y010 several documents, Y011 keys,
Y012 duplicate keys, Y013 anchors and aliases, Y014 merge keys, Y015 numbers, Y016 missing space before a comment,
Y017 missing values, Y100 and up: syntax (`syntax.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.diagnostics import InvalidFiles, Problems
from schemas.reader.build import build
from schemas.reader.characters import decode, lookalikes, scan
from schemas.reader.files import read_bytes
from schemas.reader.limits import DEFAULT_LIMITS, Limits
from schemas.source import Source, SourceMap

__all__ = ["Document", "Limits", "read_bytes", "read_data", "read_file", "read_text"]


@dataclass(frozen=True, slots=True)
class Document:
    """One file that was read: its data, where each value stood, the text, and the SHA-256 of its bytes."""

    value: Any
    source_map: SourceMap
    sha256: str
    text: str


def read_text(text: str, name: str, limits: Limits = DEFAULT_LIMITS) -> Document:
    """Data of a YAML text; raises InvalidFiles with all problems found in it."""
    return _read(text.removeprefix("\ufeff"), name, text.encode("utf-8", "surrogatepass"), limits)


def read_file(path: Path, name: str, limits: Limits = DEFAULT_LIMITS) -> Document:
    """Data of a YAML file, called `name` in messages; raises InvalidFiles with all problems found in it."""
    return read_data(read_bytes(path, name, limits), name, limits)


def read_data(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Document:
    """Data of the bytes of a YAML file; raises InvalidFiles with all problems found in it."""
    return _read(decode(data, name), name, data, limits)


def _read(text: str, name: str, data: bytes, limits: Limits) -> Document:
    source = Source(name, text)
    problems = Problems()
    if len(data) > limits.file_bytes:
        problems.error(
            "Y003", f"this text has {len(data):,} bytes; at most {limits.file_bytes:,} are read", source.span(0)
        )
        raise InvalidFiles(problems)
    scan(source, limits, problems)
    source_map = build(source, limits, problems, lookalikes(source, limits))
    if source_map is None or problems:
        raise InvalidFiles(problems)
    return Document(source_map.root, source_map, hashlib.sha256(data).hexdigest(), text)
