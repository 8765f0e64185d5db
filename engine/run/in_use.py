"""One run at a time for each instrument address, whatever station names it.

A lock of the operating system is held on a file for each address, so that it is given back even when the process is killed.
The file says who has it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.core.bench import InstrumentSpec
from engine.core.errors import ConnectionFailed

try:
    import fcntl
except ImportError:  # Windows has no such locks; two runs on one address are not found out there
    fcntl = None  # type: ignore[assignment]


def lock_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Shared by all projects of this user on this machine."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "benchwright"
    return Path(tempfile.gettempdir()) / f"benchwright-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def addresses(specs: Mapping[str, InstrumentSpec]) -> dict[str, str]:
    """Address → the instrument of the station that has it; instruments without an address have nothing to share."""
    found: dict[str, str] = {}
    for spec in specs.values():
        for address in (spec.address, *spec.site_addresses.values()):
            if address:
                found.setdefault(address, spec.name)
    return found


@contextlib.contextmanager
def held(specs: Mapping[str, InstrumentSpec], run_id: str, folder: Path | None = None) -> Iterator[None]:
    """While inside, no other run has these instruments. Raises ConnectionFailed naming the run that has one."""
    wanted = addresses(specs)
    if not wanted or fcntl is None:
        yield
        return
    place = folder if folder is not None else lock_folder()
    with contextlib.ExitStack() as stack:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for address, name in sorted(wanted.items()):
            stack.enter_context(_one(place, address, name, run_id))
        yield


@contextlib.contextmanager
def _one(folder: Path, address: str, name: str, run_id: str) -> Iterator[None]:
    path = folder / f"{hashlib.sha256(address.encode()).hexdigest()[:32]}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConnectionFailed(
                f"instrument `{name}` at {address} is in use by {_owner(descriptor)}", "wait for it to end, or stop it"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"run": run_id, "pid": os.getpid()}).encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _owner(descriptor: int) -> str:
    try:
        known = json.loads(os.pread(descriptor, 1000, 0))
        return f"run {known['run']} (process {known['pid']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"
