"""What a workload tells of itself when it is done: one line of JSON, the last one it prints."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

_first: list[float] = []


def first_step() -> None:
    """Call when the first step has been judged."""
    if not _first:
        _first.append(time.time())


def peak_mb() -> float:
    """Largest resident set of this process; `ru_maxrss` may still hold that of the process it was started by."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tell(**more: Any) -> None:
    print()
    print(
        json.dumps({"cpu_s": time.process_time(), "peak_mb": peak_mb(), "first": _first[0] if _first else None, **more})
    )
