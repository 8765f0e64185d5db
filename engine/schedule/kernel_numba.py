"""The same inner loop, compiled: the source of `kernel`, handed to numba as it is.

A second copy of the module is made, whose functions are replaced by compiled ones, so that they call each other compiled.
What is compiled is kept on disk by numba; the first use on a machine takes some seconds, later ones a fraction.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
from types import ModuleType
from typing import Any

from engine.schedule import kernel


def available() -> bool:
    """Whether the extra `plan` is installed."""
    return importlib.util.find_spec("numba") is not None


@functools.cache
def compiled() -> ModuleType:
    """`kernel`, compiled as its functions are first called. Raises ImportError without numba.

    Nothing in it makes or keeps an array, so nothing has to be counted: without reference counts (`_nrt`) it is five times
    as fast.
    """
    import numba

    spec = importlib.util.find_spec(kernel.__name__)
    if spec is None or spec.loader is None:
        raise ImportError(f"no source of {kernel.__name__}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    njit: Any = numba.njit
    jit: Any = njit(cache=True, nogil=True, _nrt=False)
    for name, function in inspect.getmembers(kernel, inspect.isfunction):
        if function.__module__ == kernel.__name__:
            setattr(module, name, jit(getattr(module, name)))
    return module
