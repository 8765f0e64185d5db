"""The walk over the user's tree: every node is checked against a whitelist and answered with a typed term.

Owns which constructs exist, where names may be read and which guard makes a doubtful name readable. A node kind that is
not named here is refused, so that a new Python version cannot smuggle in a new construct.
"""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from typing import Final

from engine.expr.arithmetic import arithmetic, negated
from engine.expr.compare import chained, choice, contained, in_list, listed
from engine.expr.functions import FUNCTIONS, OF_NAMES, Site
from engine.expr.scan import Scanned
from engine.expr.terms import Term, call, condition, constant, is_series, load, located, number, numeric
from engine.expr.types import ExpressionError, Kind, Scope, Symbol
from schemas.diagnostics import did_you_mean
from schemas.units import DIMENSIONLESS

_CONSTRUCTS: Final = {
    ast.Lambda: "functions cannot be defined here",
    ast.ListComp: "comprehensions are not supported",
    ast.SetComp: "comprehensions are not supported",
    ast.DictComp: "comprehensions are not supported",
    ast.GeneratorExp: "comprehensions are not supported",
    ast.JoinedStr: "formatted texts are not supported here",
    ast.NamedExpr: "`:=` is not supported",
    ast.Dict: "mappings are not supported",
    ast.Set: "sets are not supported",
    ast.Starred: "`*` in front of an argument is not supported",
    ast.Slice: "parts of a series cannot be taken",
}
_LIVE_HELP: Final = (
    "a live reading `role.property` is possible in `until`, `while`, `check`, `wait`, monitors and interlocks"
)
_SWITCHES: Final = {"on": "true", "off": "false", "yes": "true", "no": "false", "True": "true", "False": "false"}
_ITERATION_HELP: Final = "`iteration`, the number of the round, exists inside a `repeat` only"
Names = frozenset[str]
_NOTHING: Final[Names] = frozenset()


def dotted(node: ast.expr) -> str | None:
    """`a.b.c` of a name or attribute node, None for anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


class Checker:
    """One walk; collects the slots read and the live readings on its way."""

    def __init__(self, scanned: Scanned, scope: Scope) -> None:
        self.scanned = scanned
        self.scope = scope
        self.names: set[str] = set()
        self._read_here: set[str] = set()
        self._asked: set[str] = set()
        self.live: dict[str, tuple[str, str, str]] = {}

    @property
    def needs(self) -> frozenset[str]:
        """The slots read, but for those of which `is_nan` asks whether there is a reading."""
        return frozenset(self._read_here - self._asked)

    def error(self, code: str, message: str, help: str, node: ast.expr) -> ExpressionError:
        """An error about one node."""
        return ExpressionError(code, message, help, *self.scanned.span(node))

    def check(self, node: ast.expr, guarded: Names = _NOTHING) -> Term:
        """The term of a node; `guarded` are the doubtful names known to be bound here."""
        start, end = self.scanned.span(node)
        match node:
            case ast.Constant():
                return self._constant(node, start, end)
            case ast.Name() | ast.Attribute():
                return self._name(node, guarded, start, end)
            case ast.UnaryOp(op=ast.Not()):
                return self._not(node, guarded, start, end)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                operand = self.check(node.operand, guarded)
                return negated(operand, start, end) if isinstance(node.op, ast.USub) else numeric(operand, "a sign")
            case ast.BinOp():
                left, right = self.check(node.left, guarded), self.check(node.right, guarded)
                return arithmetic(left, right, node.op, start, end)
            case ast.BoolOp():
                return self._connective(node, guarded, start, end)
            case ast.Compare():
                return self._comparison(node, guarded, start, end)
            case ast.IfExp():
                test = condition(self.check(node.test, guarded), "`if`")
                yes = self.check(node.body, guarded | when_true(node.test))
                no = self.check(node.orelse, guarded | when_false(node.test))
                return choice(test, yes, no, start, end)
            case ast.Call():
                return self._call(node, guarded, start, end)
            case ast.Subscript():
                return self._index(node, guarded, start, end)
            case ast.List():
                return listed([self.check(item, guarded) for item in node.elts], start, end)
            case ast.Tuple():
                message = "a comma stands between arguments or items only"
                raise ExpressionError("X004", message, "a list is written `[1, 2]`", start, end)
            case _:
                message = _CONSTRUCTS.get(type(node), "this is not supported in an expression")
                raise ExpressionError("X004", message, "", start, end)

    # ------------------------------------------------------------ leaves

    def _constant(self, node: ast.Constant, start: int, end: int) -> Term:
        if isinstance(node.value, str):
            return Term(Kind.TEXT, None, constant(node.value, start, end), start, end)
        literal = self.scanned.numbers.get(start)
        if literal is None:
            raise ExpressionError("X004", "this is not supported in an expression", "", start, end)
        other = None
        if literal.unit is not None and literal.unit.difference().dimension == literal.unit.dimension:
            other = literal.unit.difference() if literal.unit.is_point else None
        return number(literal.value, literal.unit, start, literal.end, other)

    def _name(self, node: ast.expr, guarded: Names, start: int, end: int) -> Term:
        name = dotted(node)
        if name is None:
            message = "`.` belongs to names such as `dut.serial` and to readings such as `psu.voltage`"
            raise ExpressionError("X004", message, "", start, end)
        if name in ("true", "false"):
            value = name == "true"
            return Term(Kind.BOOL, None, constant(value, start, end), start, end)
        symbol = self.scope.lookup(name)
        if symbol is None:
            symbol = self._reading(name, start, end)
        if symbol is None:
            raise self._unknown(name, start, end)
        if symbol.maybe_unbound and name not in guarded:
            help = f"write `{name} if defined({name}) else …`, or `defined({name}) and …`"
            raise ExpressionError(
                "X008", f"`{name}` may have no value here: not every path produces it", help, start, end
            )
        return self._read(symbol, start, end)

    def _read(self, symbol: Symbol, start: int, end: int) -> Term:
        self.names.add(symbol.slot)
        self._read_here.add(symbol.slot)
        return Term(symbol.type.kind, symbol.type.unit, _slot(symbol.slot, start, end), start, end)

    def _reading(self, name: str, start: int, end: int) -> Symbol | None:
        role, dot, prop = name.rpartition(".")
        if not dot:
            return None
        try:
            symbol = self.scope.live(role, prop)
        except ExpressionError as error:
            raise ExpressionError(error.code, error.message, error.help, start, end) from None
        if symbol is not None:
            self.live[symbol.slot] = (role, prop, symbol.slot)
        return symbol

    def _unknown(self, name: str, start: int, end: int) -> ExpressionError:
        if name in FUNCTIONS or name in OF_NAMES:
            usage = FUNCTIONS[name].usage if name in FUNCTIONS else OF_NAMES[name]
            return ExpressionError("X001", f"`{name}` is a function", f"write `{usage}`", start, end)
        if name in ("nan", "inf", "NaN", "Infinity"):
            return ExpressionError("X001", f"`{name}` cannot be written", "ask with `is_nan(x)`", start, end)
        if name in _SWITCHES:
            return ExpressionError("X001", f"unknown name `{name}`", f"write `{_SWITCHES[name]}`", start, end)
        known = sorted(self.scope.names())
        help = "no names are in scope here"
        if near := did_you_mean(name, known):
            help = near
        elif name == "iteration":
            help = _ITERATION_HELP
        elif "." in name:
            help = _LIVE_HELP
        elif known:
            help = "in scope: " + ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
        return ExpressionError("X001", f"unknown name `{name}`", help, start, end)

    # ------------------------------------------------------------ conditions

    def _not(self, node: ast.UnaryOp, guarded: Names, start: int, end: int) -> Term:
        term = self.check(node.operand, guarded)
        if term.kind is Kind.CONDITIONS:
            return replace(term, code=call("s_not", [term.code], start, end), start=start, end=end)
        term = condition(term, "`not`")
        return replace(term, code=located(ast.UnaryOp(ast.Not(), term.code), start, end), start=start, end=end)

    def _connective(self, node: ast.BoolOp, guarded: Names, start: int, end: int) -> Term:
        conjunction = isinstance(node.op, ast.And)
        terms = []
        code: ast.expr
        for value in node.values:
            terms.append(self.check(value, guarded))
            guarded |= when_true(value) if conjunction else when_false(value)
        if not is_series(*terms):
            what = "`and`" if conjunction else "`or`"
            code = located(ast.BoolOp(node.op.__class__(), [condition(t, what).code for t in terms]), start, end)
            return Term(Kind.BOOL, None, code, start, end)
        result = self._of_series(terms[0])
        for term in terms[1:]:
            right = self._of_series(term)
            if result.kind is Kind.CONDITIONS:
                code = call("s_and" if conjunction else "s_or", [result.code, right.code], start, end)
            else:  # a single condition in front decides alone, so that `defined(x) and x > 1` reads no unbound name
                settled = constant(not conjunction, start, end)
                arms = (right.code, settled) if conjunction else (settled, right.code)
                code = located(ast.IfExp(result.code, *arms), start, end)
            kind = Kind.CONDITIONS if Kind.CONDITIONS in (result.kind, right.kind) else Kind.BOOL
            result = Term(kind, None, code, start, end)
        return result

    @staticmethod
    def _of_series(term: Term) -> Term:
        return term if term.kind is Kind.CONDITIONS else condition(term)

    def _comparison(self, node: ast.Compare, guarded: Names, start: int, end: int) -> Term:
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn):
            value, negated, among = (
                self.check(node.left, guarded),
                isinstance(node.ops[0], ast.NotIn),
                node.comparators[0],
            )
            if isinstance(among, ast.List):
                items = [self.check(item, guarded) for item in among.elts]
                return in_list(value, items, negated, start, end)
            return contained(value, self.check(among, guarded), negated, start, end)
        if any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            raise ExpressionError(
                "X004", "`in` cannot stand in a chain of comparisons", "join them with `and`", start, end
            )
        if any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            raise ExpressionError("X004", "`is` is not supported", "write `==`", start, end)
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            self._switched(node)
        terms = [self.check(item, guarded) for item in (node.left, *node.comparators)]
        return chained(terms, node.ops, start, end)

    def _switched(self, node: ast.Compare) -> None:
        """`go == on`: the words of files for true and false are none here."""
        equal = isinstance(node.ops[0], ast.Eq)
        for one, other in ((node.comparators[0], node.left), (node.left, node.comparators[0])):
            word, name = dotted(one), dotted(other)
            if word in _SWITCHES and name and name not in _SWITCHES and self.scope.lookup(word) is None:
                plain = name if (_SWITCHES[word] == "true") is equal else f"not {name}"
                help = f"write `{plain}`, or `{_SWITCHES[word]}` for `{word}`"
                raise self.error("X001", f"unknown name `{word}`", help, one)

    # ------------------------------------------------------------ calls and indexing

    def _call(self, node: ast.Call, guarded: Names, start: int, end: int) -> Term:
        if not isinstance(node.func, ast.Name):
            raise self.error("X004", "only the functions of the language can be called", "", node.func)
        name = node.func.id
        if node.keywords:
            raise ExpressionError("X007", f"`{name}` takes no named arguments", "", start, end)
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                raise self.error("X004", _CONSTRUCTS[ast.Starred], "", argument)
        if name in OF_NAMES:
            return self._of_name(name, node, start, end)
        function = FUNCTIONS.get(name)
        if function is None:
            known = sorted([*FUNCTIONS, *OF_NAMES])
            help = did_you_mean(name, known) or "functions: " + ", ".join(known)
            if self.scope.lookup(name) is not None:
                raise self.error("X004", f"`{name}` is a value and cannot be called", "", node.func)
            raise self.error("X001", f"unknown function `{name}`", help, node.func)
        if not function.least <= len(node.args) <= function.most:
            message = f"`{name}` does not take {len(node.args)} argument{'' if len(node.args) == 1 else 's'}"
            raise ExpressionError("X007", message, f"write `{function.usage}`", start, end)
        around, self._read_here = self._read_here, set()
        arguments = tuple(self.check(item, guarded) for item in node.args)
        if name == "is_nan":
            self._asked |= self._read_here
        self._read_here |= around
        return function.rule(Site(name, arguments, start, end))

    def _of_name(self, function: str, node: ast.Call, start: int, end: int) -> Term:
        name = dotted(node.args[0]) if len(node.args) == 1 else None
        if name is None:
            raise ExpressionError("X007", f"`{function}` takes one name", f"write `{OF_NAMES[function]}`", start, end)
        where = self.scanned.span(node.args[0])
        symbol = self.scope.lookup(name)
        if function == "series":
            symbol = self.scope.series(name)
            if symbol is None and self.scope.lookup(name) is not None:
                help = "after the loop the name itself is the series"
                raise ExpressionError("X007", f"there are no values so far of `{name}` here", help, *where)
        if symbol is None:
            raise self._unknown(name, *where)
        if function == "series":
            return self._read(symbol, start, end)
        if function == "changed":
            slot = f"changed:{name}"
            self.names.add(slot)
            return Term(Kind.BOOL, None, _slot(slot, start, end), start, end)
        self.names.add(symbol.slot)
        key, environment = constant(symbol.slot, start, end), load("e", start, end)
        code = located(ast.Compare(key, [ast.In()], [environment]), start, end)
        return Term(Kind.BOOL, None, code, start, end)

    def _index(self, node: ast.Subscript, guarded: Names, start: int, end: int) -> Term:
        values = self.check(node.value, guarded)
        if isinstance(node.slice, ast.Slice | ast.Tuple):
            raise self.error("X004", "an index is one whole number, such as `x[0]` or `x[-1]`", "", node.slice)
        index = numeric(self.check(node.slice, guarded), "an index")
        if index.kind is Kind.SERIES or (index.unit is not None and index.unit != DIMENSIONLESS):
            raise ExpressionError("X005", "an index is a plain number", "", index.start, index.end)
        if index.is_constant and not (math.isfinite(index.constant) and index.constant == int(index.constant)):
            raise ExpressionError("X005", "an index is a whole number", "", index.start, index.end)
        if values.kind is Kind.ANY:
            return replace(values, code=call("any_item", [values.code, index.code], start, end), start=start, end=end)
        kind = {Kind.SERIES: Kind.NUMBER, Kind.TEXT_SERIES: Kind.TEXT, Kind.CONDITIONS: Kind.BOOL}.get(values.kind)
        if kind is None:
            help = "inside a loop a name is the current value; `series(name)` is all of them so far"
            raise ExpressionError("X005", f"only a series has an index, this is {values.kind}", help, start, end)
        code = call("s_item", [values.code, index.code], start, end)
        return Term(kind, values.unit, code, start, end, derived=values.derived)


def _slot(slot: str, start: int, end: int) -> ast.expr:
    return located(ast.Subscript(load("e", start, end), constant(slot, start, end), ast.Load()), start, end)


# ---------------------------------------------------------------- guards


def when_true(node: ast.expr) -> Names:
    """The names that are bound wherever the condition is true."""
    match node:
        case ast.Call(func=ast.Name(id="defined"), args=[argument]):
            name = dotted(argument)
            return frozenset({name}) if name else _NOTHING
        case ast.UnaryOp(op=ast.Not()):
            return when_false(node.operand)
        case ast.BoolOp(op=ast.And()):
            return frozenset().union(*map(when_true, node.values))
        case ast.BoolOp(op=ast.Or()):
            return frozenset.intersection(*map(when_true, node.values))
        case _:
            return _NOTHING


def when_false(node: ast.expr) -> Names:
    """The names that are bound wherever the condition is false."""
    match node:
        case ast.UnaryOp(op=ast.Not()):
            return when_true(node.operand)
        case ast.BoolOp(op=ast.Or()):
            return frozenset().union(*map(when_false, node.values))
        case ast.BoolOp(op=ast.And()):
            return frozenset.intersection(*map(when_false, node.values))
        case _:
            return _NOTHING
