"""A logo as part of the page; its type is what its bytes say, not what its name says."""

from __future__ import annotations

import base64
from pathlib import Path

from engine.core.errors import UsageError

LARGEST = 1_000_000


def sniff(content: bytes) -> str | None:
    """The media type of an image, or None."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    head = content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in content[:4000].lower():
        return "image/svg+xml"
    return None


def data_uri(path: Path) -> str:
    """The file as a data URI; raises UsageError when it is no image a browser shows."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(
            f"cannot read the logo {path}: {error.strerror}", "correct `report.logo` in the settings"
        ) from error
    if len(content) > LARGEST:
        raise UsageError(f"the logo {path} is larger than 1 MB", "make it smaller: every report carries it")
    media_type = sniff(content)
    if media_type is None:
        raise UsageError(f"the logo {path} is no image", "PNG, JPEG, GIF, WebP and SVG are")
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
