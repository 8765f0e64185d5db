"""Expressions of the language: text → checked types and units → a fast function; closed to anything but computing."""

from __future__ import annotations

from engine.expr.braces import is_expression, strip_braces
from engine.expr.compile import compile_expression, evaluate, failure, references
from engine.expr.template import CompiledTemplate, compile_template
from engine.expr.types import Compiled, ExpressionError, Kind, Scope, SimpleScope, Symbol, Type

__all__ = [
    "Compiled",
    "CompiledTemplate",
    "ExpressionError",
    "Kind",
    "Scope",
    "SimpleScope",
    "Symbol",
    "Type",
    "compile_expression",
    "compile_template",
    "evaluate",
    "failure",
    "is_expression",
    "references",
    "strip_braces",
]
