"""Where and with what a run was made: host, user, versions, git."""

from __future__ import annotations

import getpass
import platform
import socket
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

GIT_TIMEOUT_S = 5.0
PACKAGES = ("benchwright", "pydantic", "pyyaml", "simpy", "numpy", "sqlite-utils")


def environment(root: Path) -> dict[str, Any]:
    """Facts about this machine and checkout, for the record of a run."""
    return {
        "host": socket.gethostname(),
        "user": _user(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name)) is not None},
        **git_state(root),
    }


def git_state(root: Path) -> dict[str, Any]:
    """`git_commit`, `git_branch` and whether files differ from it; empty outside a checkout or without git."""
    status = _git(root, "status", "--porcelain=v2", "--branch")
    if status is None:
        return {}
    lines = status.splitlines()
    head = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch.") and " " in line[2:])
    return {
        "git_commit": head.get("branch.oid", ""),
        "git_branch": head.get("branch.head", ""),
        "git_dirty": any(not line.startswith("#") for line in lines),
    }


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
