"""Keeps Python's cyclic garbage collector from walking the loaded files again and again while a run is under way."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

YOUNG_OBJECTS = 50_000
"""Allocations between two looks at the youngest objects; a run makes few cycles and mostly frees by count."""


@contextlib.contextmanager
def calm_garbage_collector() -> Iterator[None]:
    """While inside: what was there before is left alone, and new objects are looked at more seldom."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, before[1], before[2])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
