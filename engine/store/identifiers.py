"""Names of runs: sortable by time as a whole, short enough to type by their tail.

A run id is ``<time>-<tail>``: ten digits of milliseconds, then eight random ones, both in Crockford's base 32 (no i, l,
o, u). Runs started in one minute share most of the time part, so people are shown, and may type a prefix of, the tail.
"""

from __future__ import annotations

import secrets
import time

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
LETTERS = DIGITS[10:]
TIME_LENGTH = 10
TAIL_LENGTH = 8


def new_run_id(now: float | None = None) -> str:
    """A new run id; `now` is wall time in seconds since the epoch, None the current one."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    head = "".join(DIGITS[(milliseconds >> shift) & 31] for shift in range(5 * (TIME_LENGTH - 1), -1, -5))
    tail = secrets.choice(LETTERS) + "".join(secrets.choice(DIGITS) for _ in range(TAIL_LENGTH - 1))
    return f"{head}-{tail}"


def short_id(run_id: str) -> str:
    """The form people read and type: the tail, or the whole id where it is not of our making."""
    head, dash, tail = run_id.rpartition("-")
    return tail if dash and len(head) == TIME_LENGTH and len(tail) == TAIL_LENGTH else run_id
