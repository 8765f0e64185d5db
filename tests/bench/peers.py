"""Other people's packages, in a virtual environment of their own outside the repository.

They are no dependencies of ours. Where one cannot be installed (no network, no wheel), its rows are left out and say so.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

INSTALL_TIMEOUT_S = 300.0
_folders: list[tempfile.TemporaryDirectory[str]] = []
"""Kept until the process ends, then removed."""


class NotInstallable(Exception):
    """The package cannot be had here; the text says why."""


@cache
def python_with(*packages: str) -> Path:
    """A Python that has these packages; raises NotInstallable."""
    folder = tempfile.TemporaryDirectory(prefix="benchwright-peers-", ignore_cleanup_errors=True)
    _folders.append(folder)
    python = Path(folder.name) / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    for command in ([sys.executable, "-m", "venv", folder.name], install):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
        except (OSError, subprocess.SubprocessError):
            raise NotInstallable(f"{', '.join(packages)} cannot be installed here, and is left out") from None
    return python
