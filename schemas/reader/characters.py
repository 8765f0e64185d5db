"""Bytes to text, and the characters that may not stand in a file.

Done before parsing, because libyaml stops far from an invisible character, a no-break space or a merge conflict
and blames something else.
"""

from __future__ import annotations

import re
from typing import NoReturn

from schemas.diagnostics import Diagnostic, InvalidFiles, Problems
from schemas.reader.limits import Limits
from schemas.source import Source

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]|\r(?!\n)")
_INVISIBLE = re.compile("[\x85\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_LOOKALIKE = re.compile("^ *(?:- *)*(?:\u00a0|[A-Za-z_][A-Za-z0-9_.-]*(?::\u00a0|\uff1a))", re.MULTILINE)
_CONFLICT = re.compile(r"^(?:<{7}|>{7}|\|{7})(?: .*)?$|^={7}$", re.MULTILINE)
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def decode(data: bytes, name: str) -> str:
    """Text of a UTF-8 file without its byte order mark; raises InvalidFiles for any other encoding."""
    wide = _wide_encoding(data)
    if wide:
        text = data.decode(wide, "replace").lstrip("\ufeff")
        _refuse(
            Source(name, text),
            0,
            f"this file is encoded as {wide[:6].upper()}; only UTF-8 is read",
            'save it as UTF-8 (in most editors "Save with Encoding")',
        )
    body = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        good = body[: error.start].decode("utf-8")
        byte = body[error.start]
        meant = bytes([byte]).decode("cp1252", "replace")
        meaning = f"in Windows-1252 this byte is `{meant}`; " if meant.isprintable() else ""
        _refuse(
            Source(name, good + body[error.start :].decode("utf-8", "replace")),
            len(good),
            f"this file is not UTF-8: byte 0x{byte:02X}",
            f"{meaning}save the file as UTF-8",
        )


def scan(source: Source, limits: Limits, problems: Problems) -> None:
    """Adds every forbidden or misleading character, merge-conflict marker and overlong line."""
    text = source.text
    _scan_controls(source, limits, problems)
    if not text.isascii():
        _scan_invisible(source, limits, problems)
    if "<<<<<<<" in text or ">>>>>>>" in text:
        for marker in _CONFLICT.finditer(text):
            if marker.group()[0] in "<>":
                problems.error(
                    "Y006",
                    "unresolved merge conflict",
                    source.span(*marker.span()),
                    help="resolve the conflict and delete the marker lines",
                )
            if len(problems) >= limits.problems:
                break
    _scan_lines(source, limits, problems)


def _scan_controls(source: Source, limits: Limits, problems: Problems) -> None:
    for match in _CONTROL.finditer(source.text):
        if len(problems) >= limits.problems:
            return
        found = match.group()
        what = "a lone carriage return" if found == "\r" else "a control character"
        problems.error(
            "Y004",
            f"{what} (U+{ord(found):04X}) is not allowed",
            source.span(*match.span()),
            label="remove this character",
            help="end lines with LF or CRLF" if found == "\r" else (),
        )


def lookalikes(source: Source, limits: Limits) -> list[Diagnostic]:
    """No-break spaces and full-width colons where YAML would need a plain one, should they not stand inside text."""
    if source.text.isascii():
        return []
    found: list[Diagnostic] = []
    for match in _LOOKALIKE.finditer(source.text):
        if len(found) >= limits.problems:
            break
        at = match.end() - 1
        if source.text[at] == "\u00a0":
            message, label = "a no-break space (U+00A0) stands where a plain space belongs", "replace it with a space"
        else:
            message, label = "a full-width colon (U+FF1A) stands where `: ` belongs", "replace it with `: `"
        found.append(Diagnostic("Y005", message, source.span(at), label))
    return found


def _scan_invisible(source: Source, limits: Limits, problems: Problems) -> None:
    for match in _INVISIBLE.finditer(source.text):
        if len(problems) >= limits.problems:
            return
        code = ord(match.group())
        problems.error(
            "Y005",
            f"an invisible character (U+{code:04X}) is not allowed",
            source.span(*match.span()),
            label="it stands here",
            help=f'delete it; where it is meant, write it in double quotes as "\\u{code:04X}"',
        )


def _scan_lines(source: Source, limits: Limits, problems: Problems) -> None:
    text, longest, at = source.text, limits.line_length, 0
    while at + longest < len(text):
        end = text.rfind("\n", at, at + longest + 1)
        if end < 0:
            problems.error("Y003", f"this line is longer than {longest:,} characters", source.span(at), help="wrap it")
            return
        at = end + 1


def _wide_encoding(data: bytes) -> str:
    if data[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "utf-32"
    if data[:2] in _UTF_16_MARKS:
        return "utf-16"
    head = data[:4]
    if len(head) == 4 and head[0] and head[1:] == b"\0\0\0":
        return "utf-32-le"
    if len(head) == 4 and head[3] and head[:3] == b"\0\0\0":
        return "utf-32-be"
    if len(head) == 4 and head[0] and head[2] and not head[1] and not head[3]:
        return "utf-16-le"
    if len(head) == 4 and head[1] and head[3] and not head[0] and not head[2]:
        return "utf-16-be"
    return ""


def _refuse(source: Source, at: int, message: str, remedy: str) -> NoReturn:
    problems = Problems()
    problems.error("Y002", message, source.span(at), help=remedy)
    raise InvalidFiles(problems)
