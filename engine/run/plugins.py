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
    """What the function answers, as plain values. Raises StepError naming the function for anything that goes wrong in it.

    Nothing it raises is let through, not even what is meant to end the program: the cleanup of the run must follow.
    """
    name = f"{action.module}:{action.function}"
    try:
        module = _module(action.module, Path(action.root))
        function = getattr(module, action.function, None)
        if not callable(function):
            raise StepError(f"module `{action.module}` has no function `{action.function}`")
        result = function(**arguments)
    except StepError:
        raise
    except SystemExit as error:
        raise StepError(
            f"`{name}` tried to end the program ({error})", "return a value, or raise an exception"
        ) from None
    except BaseException as error:  # noqa: BLE001  a cancelled task or a generator's exit ends no run
        raise StepError(f"`{name}` raised {type(error).__name__}: {error}") from None
    return plain_result(result, name)


def unknown_result(action: PythonAction, arguments: Mapping[str, Any]) -> None:
    """Stands in where the project's code must not be called: a prediction touches nothing."""
    return


def plain_result(result: Any, name: str) -> Any:
    """Numbers, text, true and false, nothing, or a list of numbers; raises StepError for anything else."""
    value = result.tolist() if hasattr(result, "tolist") and hasattr(result, "dtype") else result
    match value:
        case None | bool() | str() | float():
            return value
        case int():
            try:
                return float(value)
            except OverflowError:
                raise StepError(f"`{name}` returned a whole number that is too large for a number here") from None
        case list() | tuple():
            if all(isinstance(item, int | float) and not isinstance(item, bool) for item in value):
                return [plain_result(item, name) for item in value]
            raise StepError(f"`{name}` returned a list with something in it that is no number")
    kind = type(result).__name__
    raise StepError(f"`{name}` returned a {kind}", "return a number, text, true or false, or a list of numbers")


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
