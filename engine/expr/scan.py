"""From the text of an expression to Python's syntax tree, with every offset kept.

Owns the tokens: numbers with their units, strings, names, operators. What is no token of the language is refused here
with its caret, before Python's parser sees it. A quantity such as `10 mA` is blanked to a number of the same length, so
a node's column is always an offset in the user's text, and no number ever reaches Python's own conversion.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from engine.expr.braces import strip_braces
from engine.expr.types import ExpressionError
from schemas import unit_algebra, units
from schemas.quantity import QuantityError, Unit, parse_quantity

LONGEST_EXPRESSION = 500
MOST_NODES = 200
DEEPEST = 30
MOST_ITEMS = 100


@dataclass(frozen=True, slots=True)
class Literal:
    """A number as written; `unit` is None for a bare one, `end` lies after the unit."""

    value: float
    unit: Unit | None
    end: int


@dataclass(frozen=True, slots=True)
class Scanned:
    """The tree of one expression, its numbers by offset, and where nodes stand in the text."""

    text: str
    start: int
    end: int
    tree: ast.expr
    numbers: dict[int, Literal]
    columns: list[int] | None
    """Offset of each byte where the text is not plain ASCII, else None."""

    def span(self, node: ast.expr) -> tuple[int, int]:
        """First offset and offset after the last of a node, in the text."""
        first, last = node.col_offset, node.end_col_offset or node.col_offset + 1
        if self.columns is not None:
            first, last = self.columns[first], self.columns[min(last, len(self.columns) - 1)]
        first, last = first + self.start, last + self.start
        literal = self.numbers.get(first)
        if literal is not None and isinstance(node, ast.Constant):
            last = literal.end
        return first, max(last, first + 1)


# ---------------------------------------------------------------- tokens

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DIGITS = frozenset("0123456789")
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[0-9]+,[0-9]+")
_ONE_TIME = r"[0-9]+(?:\.[0-9]+)? ?(?:d|h|min|s|ms|us)"
_DURATION = re.compile(rf"{_ONE_TIME}(?: {_ONE_TIME})+(?![\w(/*^.])")
_SYMBOL = re.compile(r"[A-Za-zµμΩΩ°℃]+")
_POWER = re.compile(r"\^(-?[0-9](?:\.[0-9]+)?)|[²³]")
_OPERATOR = re.compile(r"\*\*|//|==|!=|<=|>=|:=|[-+*/%<>(),\[\].:]")
_WORDS = frozenset({"if", "else", "and", "or", "not", "in", "is"})
_REFUSED_WORDS = {
    "lambda": "functions cannot be defined here",
    "for": "loops are steps: use `sweep` or `repeat`, or a function such as `sum` or `any`",
    "while": "loops are steps: use `repeat`",
    "import": "use a `python` step",
    "from": "use a `python` step",
    "await": "",
    "async": "",
    "yield": "",
    "is": "write `==`",
    "None": "use `defined(name)` to ask whether a name has a value",
    "null": "use `defined(name)` to ask whether a name has a value",
    "True": "write `true`",
    "False": "write `false`",
    "AND": "write `and`",
    "OR": "write `or`",
    "NOT": "write `not`",
}
_KEYWORDS = frozenset(
    {
        "as", "assert", "break", "class", "continue", "def", "del", "except", "finally", "global", "nonlocal", "pass",
        "raise", "return", "try", "with",
    }
)  # fmt: skip
_HINTS = (
    ("&&", "write `and`"), ("||", "write `or`"), (":=", "use a `let` step"), ("&", "write `and`"), ("|", "write `or`"),
    ("~", "write `not`"), ("!", "write `not`"), ("=", "write `==` to compare"), ("^", "write `**` for a power"),
    ("?", "write `x if condition else y`"), ("≤", "write `<=`"), ("≥", "write `>=`"), ("≠", "write `!=`"),
    ("×", "write `*`"), ("·", "write `*`"), ("÷", "write `/`"), ("−", "write `-`"), ("–", "write `-`"),
    ("“", 'write `"`'), ("”", 'write `"`'), ("‘", "write `'`"), ("’", "write `'`"), ("`", "write names without quotes"),
    ("{", "mappings and sets are not supported; a list is written `[1, 2]`"),
    ("}", "mappings and sets are not supported; a list is written `[1, 2]`"),
    ("#", "a comment goes outside the quotes of the expression"), (";", "one expression at a time"),
)  # fmt: skip


def scan(text: str, is_name: Callable[[str], bool] = lambda _: False) -> Scanned:
    """Read an expression, in braces or bare; `is_name` tells names in scope from units. Raises ExpressionError."""
    inner, start = strip_braces(text)
    end = start + len(inner)
    start += len(inner) - len(inner.lstrip())
    end -= len(inner) - len(inner.rstrip())
    if end <= start:
        raise ExpressionError("X002", "the expression is empty", "", 0, max(len(text), 1))
    if end - start > LONGEST_EXPRESSION:
        raise ExpressionError(
            "X003", f"the expression has {end - start} characters, {LONGEST_EXPRESSION} is the limit",
            "name a part of it in a `let` step", start, end,
        )  # fmt: skip
    scanner = _Scanner(text, start, end, is_name)
    python = scanner.run()
    columns = None
    if not python.isascii():
        columns = [i for i, char in enumerate(python) for _ in char.encode("utf-8", "surrogatepass")] + [len(python)]
    tree = _parse(python, text, start, end)
    scanned = Scanned(text, start, end, tree, scanner.numbers, columns)
    _bound(scanned)
    return scanned


class _Scanner:
    """One pass over the text; `out` becomes the same text with quantities blanked to numbers."""

    def __init__(self, text: str, start: int, end: int, is_name: Callable[[str], bool]) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.is_name = is_name
        self.numbers: dict[int, Literal] = {}
        self.out: list[str] = []

    def run(self) -> str:
        text, end, position = self.text, self.end, self.start
        depth = unary = 0
        while True:
            space = _SPACE.match(text, position, end)
            assert space is not None
            self.out.append(" " * (space.end() - position))
            position = space.end()
            if position >= end:
                return "".join(self.out)
            char = text[position]
            if char in "\"'":
                position, unary = self._string(position), 0
            elif char in _DIGITS or (char == "." and text[position + 1 : position + 2] in _DIGITS):
                position, unary = self._number(position, depth), 0
            elif found := _NAME.match(text, position, end):
                self._name(found)
                unary = unary + 1 if found[0] == "not" else 0
                position = found.end()
            else:
                found = _OPERATOR.match(text, position, end)
                if found is None or found[0] == ":=":
                    raise self._unexpected(position)
                self.out.append(found[0])
                depth += (char in "([") - (char in ")]")
                unary = unary + 1 if char in "+-" else 0
                position = found.end()
            if depth > DEEPEST or unary > DEEPEST:
                raise self._error(
                    "X003", f"nested deeper than {DEEPEST}", "name a part of it in a `let` step", position - 1
                )

    def _error(self, code: str, message: str, help: str, start: int, end: int | None = None) -> ExpressionError:
        return ExpressionError(code, message, help, start, min(max(start + 1, end or 0), len(self.text)))

    def _string(self, position: int) -> int:
        found = _STRING.match(self.text, position, self.end)
        if found is None:
            raise self._error("X002", "the quote is not closed", "", position)
        if self.text.startswith(self.text[position] * 3, position):
            raise self._error("X002", "triple quotes are not supported", "use single ones", position, position + 3)
        if not found[0].isprintable():
            raise self._error("X002", "invisible characters in a text", "", position, found.end())
        if "\\N" in found[0]:
            raise self._error("X002", "named characters are not supported in a text", "", position, found.end())
        self.out.append(found[0])
        return found.end()

    def _name(self, found: re.Match[str]) -> None:
        word, at = found[0], found.start()
        after = self.text[found.end() : found.end() + 1]
        if word.startswith("_"):
            raise self._error("X004", f"`{word}` is not a name here", "names begin with a letter", at, found.end())
        if after in ('"', "'") and found.end() < self.end and word not in _WORDS:
            raise self._error(
                "X004", f"`{word}{after}…` texts are not supported", "write a plain text", at, found.end()
            )
        if word in _REFUSED_WORDS or word in _KEYWORDS:
            raise self._error(
                "X004", f"`{word}` is not supported in an expression", _REFUSED_WORDS.get(word, ""), at, found.end()
            )
        if after and not after.isascii() and (after.isalnum() or after in "µμΩΩ"):
            raise self._unexpected(found.end())
        self.out.append(word)

    def _unexpected(self, position: int) -> ExpressionError:
        for sign, help in _HINTS:
            if self.text.startswith(sign, position):
                return self._error("X002", f"`{sign}` is not an operator here", help, position, position + len(sign))
        char = self.text[position]
        shown = f"`{char}`" if char.isprintable() else f"the invisible character U+{ord(char):04X}"
        help = ""
        if not char.isascii() and char.isalnum():
            help = "names are written with a-z, 0-9 and _; this letter may only look like one of them"
        return self._error("X002", f"unexpected {shown}", help, position)

    # ------------------------------------------------------------ numbers and their units

    def _number(self, position: int, depth: int) -> int:
        unit: Unit | None
        found = _NUMBER.match(self.text, position, self.end)
        assert found is not None
        comma = _DECIMAL_COMMA.match(self.text, position, self.end)
        if comma is not None and depth == 0:
            help = f"write `{comma[0].replace(',', '.')}`"
            raise self._error("X002", f"`{comma[0]}` has a decimal comma", help, position, comma.end())
        value = float(found[0])
        if not math.isfinite(value):
            raise self._error("X003", "the number is too large", "", position, found.end())
        after = self.text[found.end() : min(found.end() + 1, self.end)]
        if after == "_" or (after in "xXoObB" and after and found[0] == "0"):
            stop = _NAME.match(self.text, found.end(), self.end)
            end = stop.end() if stop else found.end() + 1
            help = "write it in decimal, without `_`"
            raise self._error("X002", f"`{self.text[position:end]}` is not a number", help, position, end)
        if duration := _DURATION.match(self.text, position, self.end):
            value, unit, end = parse_quantity(duration[0], units.SECOND).value, units.SECOND, duration.end()
        else:
            unit, end = self._unit(position, found.end())
        self.numbers[position] = Literal(value, unit, end)
        self.out.append("1" * (end - position))
        return end

    def _unit(self, start: int, number_end: int) -> tuple[Unit | None, int]:
        """The unit after a number, and where it ends: as long a compound as is written without spaces."""
        text = self.text
        space = _SPACE.match(text, number_end, self.end)
        assert space is not None
        at = space.end()
        if at >= self.end:
            return None, number_end
        if text[at] == "%":
            if not self._is_percent(at):
                return None, number_end
            end = at + 1
        else:
            word = _SYMBOL.match(text, at, self.end)
            if word is None or word[0] in _WORDS or word[0] in _REFUSED_WORDS or word[0] in _KEYWORDS:
                return None, number_end
            end = word.end()
            name = _NAME.match(text, at, self.end)
            if name is not None and name.end() > end:
                end = name.end()
            known = text[at:end] in units.SYMBOLS
            if text[end : min(end + 1, self.end)] == "(" or (not known and self.is_name(text[at:end])):
                raise self._error("X002", "an operator is missing", "", at, end)
            if not known:
                raise self._quantity_error(start, at, end)
        end = self._compound(end)
        if text[at:end] == "m":
            raise self._quantity_error(start, at, end)
        try:
            return unit_algebra.parse_unit(text[at:end]), end
        except units.UnitError as error:
            raise self._error("Q005", error.message, error.help, at + error.start, at + error.end) from None

    def _compound(self, end: int) -> int:
        """Where a compound unit ends whose first factor ends at `end`."""
        text = self.text
        while True:
            if found := _POWER.match(text, end, self.end):
                end = found.end()
            sign = text[end : min(end + 1, self.end)]
            if sign not in ("/", "*", "·"):
                return end
            if text.startswith("%", end + 1):
                end += 2
                continue
            word = _SYMBOL.match(text, end + 1, self.end)
            if word is None or word[0] not in units.SYMBOLS:
                return end
            if word.end() < self.end and (text[word.end()] in "(._" or text[word.end()].isalnum()):
                return end
            if self.is_name(word[0]):
                help = f"put spaces around `{sign}` for the name, or rename it"
                raise self._error("X009", f"`{word[0]}` is a unit and a name here", help, end + 1, word.end())
            end = word.end()

    def _is_percent(self, at: int) -> bool:
        """Whether the `%` after a number is the unit: it is where no operand follows, as in `2 %` and `2 % and x`."""
        text = self.text
        space = _SPACE.match(text, at + 1, self.end)
        assert space is not None
        follows = text[space.end() : min(space.end() + 1, self.end)]
        if not follows:
            return True
        if follows in "+-" and space.end() > at + 1 and not text[space.end() + 1 : space.end() + 2].isspace():
            help = "write `% (-x)` for the remainder or `% - x` for percent"
            raise self._error("X009", "this `%` may be percent or a remainder", help, at, space.end() + 1)
        word = _NAME.match(text, space.end(), self.end)
        if word is not None:
            return word[0] in _WORDS and word[0] != "not"
        return not (follows.isdigit() or follows in "(.[\"'")

    def _quantity_error(self, start: int, at: int, end: int) -> ExpressionError:
        try:
            parse_quantity(self.text[start:end])
        except QuantityError as error:
            return self._error(error.code, error.message, error.help, at, end)
        return self._error("Q005", f"unknown unit `{self.text[at:end]}`", "", at, end)


# ---------------------------------------------------------------- the tree


def _parse(python: str, text: str, start: int, end: int) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(python, mode="eval")
    except SyntaxError as error:
        column = min(start + max((error.offset or 1) - 1, 0), end - 1)
        raise ExpressionError("X002", _plainly(error.msg or ""), "", column, min(column + 1, len(text))) from None
    except (ValueError, MemoryError, RecursionError, OverflowError):
        raise ExpressionError("X002", "this expression cannot be read", "", start, end) from None
    return tree.body


def _plainly(message: str) -> str:
    if "forgot a comma" in message:
        return "an operator or a comma is missing"
    if "never closed" in message or "unexpected EOF" in message:
        return "a bracket is not closed"
    if "unmatched" in message or "does not match" in message:
        return "a bracket has no partner"
    if "else" in message:
        return "`else` is missing: write `x if condition else y`"
    return "this expression cannot be read: something is missing or too much"


def _bound(scanned: Scanned) -> None:
    """Refuse trees that are too large or too deep; a chain such as a + b + c is no depth. Never recurses."""
    stack: list[tuple[ast.AST, int]] = [(scanned.tree, 0)]
    count = 0
    while stack:
        node, depth = stack.pop()
        if isinstance(node, ast.expr):
            count += 1
            if count > MOST_NODES or depth > DEEPEST:
                what = f"more than {MOST_NODES} parts" if count > MOST_NODES else f"parts nested deeper than {DEEPEST}"
                help = "name a part of it in a `let` step"
                raise ExpressionError("X003", f"the expression has {what}", help, *scanned.span(node))
        for child in ast.iter_child_nodes(node):
            left = isinstance(node, ast.BinOp) and child is node.left
            stack.append((child, depth if left else depth + 1))
