"""Calls the project's own code for `python:` steps: only modules that the settings name, only plain functions."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.core.errors import StepError
from engine.plan.model import PythonAction


def call_plugin(action: PythonAction, arguments: Mapping[str, Any]) -> Any:
    """What the function answers. Raises StepError naming the function for anything that goes wrong in it."""
    name = f"{action.module}:{action.function}"
    try:
        module = _module(action.module, Path(action.root))
        function = getattr(module, action.function, None)
        if not callable(function):
            raise StepError(f"module `{action.module}` has no function `{action.function}`")
        return function(**arguments)
    except StepError:
        raise
    except Exception as error:
        raise StepError(f"`{name}` raised {type(error).__name__}: {error}") from error


def _module(name: str, root: Path) -> ModuleType:
    """The module of the project, else an installed one."""
    if name in sys.modules:
        return sys.modules[name]
    path = root.joinpath(*name.split(".")).with_suffix(".py")
    if path.is_file():
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[name]
                raise
            return module
    return importlib.import_module(name)
