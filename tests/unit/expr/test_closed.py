"""Nothing but computing: hostile and mistaken texts are refused, with a caret inside the text, and never crash or hang."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.core.errors import EvaluationFailed
from engine.expr import (
    ExpressionError,
    Kind,
    SimpleScope,
    compile_expression,
    compile_template,
    evaluate,
    is_expression,
    references,
    strip_braces,
)

ATTACKS = [
    "__import__('os').system('id')",
    "().__class__.__bases__[0].__subclasses__()",
    "''.__class__.__mro__[1]",
    "v.__class__",
    "v.real",
    "vs.tofile('x')",
    "vs.dtype",
    "vs.base.data",
    "mean.__globals__",
    "abs.__self__",
    "[].append(1)",
    "'abc'.format(1)",
    "'{0.__class__}'.format(v)",
    "'%s' % v",
    "'a' * 1000000000",
    "'a' + 'b'",
    "f'{v}'",
    "f'{v.__class__}'",
    "b'abc'",
    "rb'abc'",
    "u'abc'",
    "getattr(v, 'x')",
    "setattr(v, 'x', 1)",
    "eval('1')",
    "exec('1')",
    "compile('1', '', 'eval')",
    "open('/etc/passwd')",
    "print(v)",
    "globals()",
    "locals()",
    "vars()",
    "dir(v)",
    "type(v)",
    "id(v)",
    "input()",
    "breakpoint()",
    "help()",
    "memoryview(v)",
    "range(10 ** 9)",
    "lambda: 1",
    "(lambda x: x)(1)",
    "[x for x in vs]",
    "(x for x in vs)",
    "{x for x in vs}",
    "{x: x for x in vs}",
    "{1: 2}",
    "{1, 2}",
    "v := 3",
    "(v := 3)",
    "yield v",
    "await v",
    "(yield)",
    "import os",
    "del v",
    "v; v",
    "v\\\nv",
    "v # comment",
    "*vs",
    "mean(*vs)",
    "mean(x=vs)",
    "mean(**vs)",
    "vs[0:2]",
    "vs[:]",
    "vs[0, 1]",
    "vs[...]",
    "...",
    "None",
    "True",
    "v is v",
    "v is not None",
    "~v",
    "v @ v",
    "v & 1",
    "v | 1",
    "v ^ 1",
    "v << 9999999",
    "v >> 1",
    "!v",
    "1j",
    "0x10",
    "0b1",
    "0o7",
    "1_000",
    "1e999",
    "9 ** 9 ** 9 ** 9",
    "10 ** 400",
    "(n)(1)",
    "vs(0)",
    "v()",
    "abs(abs)",
    "abs",
    "mean(mean)",
    "e['v']",
    "e",
    "number(v)",
    "s_mean(vs)",
    "truth(ok)",
    "_private",
    "v.__dict__",
    "dut.__class__",
    "dut.serial.__class__",
    "psu.voltage.real",
    "changed(v.x)",
    "defined('v')",
    "series(t)",
    "vаs",  # a Cyrillic a
    "ｖ",  # full width
    "ⅴ",
    "v\u200b",
    "v\u00a0+ 1",
    "\u202ev",
    "v\x00",
    "'\u202e'",
    "'\\N{DIGIT ONE}' == reply",
    "'''a'''",
    "'a",
    "((((v",
    "v))",
    "v +",
    "v v",
    "if v",
    "v if ok",
    "v,",
    "v, v",
    "()",
    "[]",
    "[[1], [2]]",
    "v in []",
    "[1, 'a']",
    "",
    "   ",
    "{{ v }} + {{ v }}",
    "(" * 40 + "v" + ")" * 40,
    "[" * 40 + "1" + "]" * 40,
    "(" * 240 + "v" + ")" * 240,
    "-" * 400 + "v",
    "not " * 100 + "ok",
    "abs(" * 60 + "v" + ")" * 60,
    "1 if ok else " * 35 + "1",
    "2 ** " * 60 + "2",
    "v + " * 120 + "v",
    "v.a" * 150,
    "v" * 600,
    "[" + "1," * 150 + "1]",
    "n in [" + "1," * 110 + "1]",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_a_hostile_or_mistaken_text_is_refused_with_a_place(scope: SimpleScope, text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, scope)
    assert caught.value.message
    assert 0 <= caught.value.start < caught.value.end <= max(len(text), 1)


HINTS = [
    ("v > 1 && ok", "write `and`", "&&"),
    ("ok || ok", "write `or`", "||"),
    ("!ok", "write `not`", "!"),
    ("v = 3", "write `==` to compare", "="),
    ("True", "write `true`", "True"),
    ("v ≤ 3", "write `<=`", "≤"),
    ("n^2", "write `**` for a power", "^"),
    ("elapsd > 1", "did you mean `elapsed`?", "elapsd"),
    ("slop(vs, ts)", "did you mean `slope`?", "slop"),
    ("dut.seral", "did you mean `dut.serial`?", "dut.seral"),
    ("dmm.voltage", "live reading", "dmm.voltage"),
    ("10 mhz > v", "did you mean `mHz` or `MHz`", "mhz"),
    ("v > 10 m", "10 mV", "m"),
    ("v > 10 k", "10 kV", "k"),
    ("v > 3,3 V", "write `3.3`", "3,3"),
    ("7 % -3", "remainder", "% -"),
    ("vs > 1 and maybe", "defined(maybe)", "maybe"),
    ("v and ok", "compare it", "v"),
    ("vs > 1 if ok else 1", "", "vs > 1 if ok else 1"),
    ("reply == 5", "in quotes", "reply == 5"),
]


@pytest.mark.parametrize(("text", "help", "culprit"), HINTS)
def test_a_common_slip_is_answered_with_what_to_write(scope: SimpleScope, text: str, help: str, culprit: str) -> None:
    if text == "v > 10 k":
        scope = SimpleScope({"v": scope.symbols["v"]})
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, scope)
    assert help in caught.value.help
    assert text[caught.value.start : caught.value.end] == culprit


GUARDED = [
    "defined(maybe) and maybe > 1",
    "maybe if defined(maybe) else 0",
    "not defined(maybe) or maybe > 1",
    "0 if not defined(maybe) else maybe",
    "ok and defined(maybe) and maybe > 1",
    "(defined(maybe) and ok) and maybe > 1 V",
    "defined(maybe)",
    "defined(maybe) and all(vs > maybe)",
    "any(defined(maybe) and vs > maybe) if ok else false",
]
UNGUARDED = [
    "maybe",
    "maybe > 1 and defined(maybe)",
    "defined(maybe) or maybe > 1",
    "maybe if ok else 0",
    "0 if defined(maybe) else maybe",
    "not defined(maybe) and maybe > 1",
    "(defined(maybe) or ok) and maybe > 1",
    "defined(v) and maybe > 1",
]


@pytest.mark.parametrize("text", GUARDED)
def test_a_guarded_name_may_be_read_whether_bound_or_not(
    scope: SimpleScope, environment: dict[str, Any], text: str
) -> None:
    compiled = compile_expression(text, scope)
    evaluate(compiled, environment)
    evaluate(compiled, {**environment, "maybe": 2.0})


@pytest.mark.parametrize("text", UNGUARDED)
def test_a_name_that_may_be_unbound_needs_its_guard(scope: SimpleScope, text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, scope)
    assert caught.value.code == "X008"
    assert text[caught.value.start : caught.value.end] == "maybe"


def test_offsets_count_from_the_start_of_the_braced_text(scope: SimpleScope) -> None:
    text = "  {{ v > \n unknown }} "
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, scope)
    assert text[caught.value.start : caught.value.end] == "unknown"


def test_offsets_survive_letters_of_several_bytes(scope: SimpleScope) -> None:
    text = "reply == 'µΩ€' and v > 3 µV and unknown"
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, scope)
    assert text[caught.value.start : caught.value.end] == "unknown"


def test_a_closing_bracket_of_the_user_closes_nothing_of_ours(scope: SimpleScope) -> None:
    with pytest.raises(ExpressionError):
        compile_expression("{{ 1) + (2 }}", scope)


def test_what_an_expression_reads_is_listed(scope: SimpleScope) -> None:
    compiled = compile_expression("psu.voltage > v and changed(t) and mean(series(v)) > 1", scope, want=Kind.BOOL)
    assert compiled.names == {"live:psu.voltage", "v", "changed:t", "series:v"}
    assert compiled.live == (("psu", "voltage", "live:psu.voltage"),)
    assert compile_expression("2 * 3 V", scope).constant == 6.0
    assert compile_expression("1 > 2", scope).constant is False


def test_a_scope_may_say_where_live_readings_are_allowed() -> None:
    class Strict(SimpleScope):
        def live(self, role: str, prop: str) -> None:
            raise ExpressionError("X001", f"no live reading of {role} in `value`", "measure it first")

    with pytest.raises(ExpressionError, match="no live reading of psu") as caught:
        compile_expression("1 + psu.voltage", Strict())
    assert (caught.value.start, caught.value.end) == (4, 15)


@pytest.mark.parametrize(
    ("text", "want"),
    [("v", Kind.BOOL), ("vs > 1", Kind.BOOL), ("vs", Kind.NUMBER), ("v", Kind.TEXT), ("ok", Kind.NUMBER)],
)
def test_the_wanted_kind_is_demanded(scope: SimpleScope, text: str, want: Kind) -> None:
    with pytest.raises(ExpressionError, match="is needed"):
        compile_expression(text, scope, want=want)


def test_a_value_of_unknown_kind_is_checked_when_evaluated(scope: SimpleScope) -> None:
    compiled = compile_expression("answer", scope, want=Kind.BOOL)
    assert evaluate(compiled, {"answer": True}) is True
    with pytest.raises(EvaluationFailed, match="true or false is needed, this is text in `answer`"):
        evaluate(compiled, {"answer": "yes"})
    with pytest.raises(EvaluationFailed, match="a number is needed, this is text"):
        evaluate(compile_expression("answer * 1000000", scope), {"answer": "x" * 1000})


# ---------------------------------------------------------------- templates and braces

TEMPLATES = [
    ("plain", "plain"),
    ("VOLT {{ v }}", "VOLT 3.3"),
    ("{{ t }} degC", "85 degC"),
    ("{{ v:.3f }}|{{ v : .2e }}|{{ n:d }}|{{ v:8.2f }}", "3.300|3.30e+00|3|    3.30"),
    ("{{ ok }} {{ reply }}", "true +0,No error"),
    ("{{ vs:.2f }}", "3.30, 3.31, 3.32"),
    ("{{ bad }} {{ bad:d }}", "nan nan"),
    ("{{ reply == 'a}}b' }}", "false"),
    ("{{ n if ok else 0:.1f }}", "3.0"),
    ("{ {{n}} }", "{ 3 }"),
]


@pytest.mark.parametrize(("text", "filled"), TEMPLATES)
def test_a_template_is_filled(scope: SimpleScope, environment: dict[str, Any], text: str, filled: str) -> None:
    assert compile_template(text, scope).fn(environment) == filled


BROKEN = [
    "{{ v", "{{ }}", "{{}}", "{{ v:.999f }}", "{{ v:99999d }}", "{{ v!r }}", "{{ v:{v} }}", "{{ v:%s }}", "{{ v.x }}",
    "{{ reply:.2f }}", "{{ ok:+ }}", "a {{ unknown }} b", "{{ v:*>9 }}", "{{ v:,}}", "{{ {{ v }} }}", "{{ lambda: v }}",
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_template_is_refused_with_a_place(scope: SimpleScope, text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template(text, scope)
    assert 0 <= caught.value.start < caught.value.end <= len(text)


def test_a_template_without_names_is_constant(scope: SimpleScope) -> None:
    assert compile_template("x {{ 1 + 2 }}", scope).constant == "x 3"
    assert compile_template("{{ v }}", scope).constant is None


def test_only_a_text_wholly_in_braces_is_an_expression() -> None:
    assert is_expression("{{ a }}")
    assert is_expression(" {{ a == '}}' }} ")
    assert not is_expression("{{ a }} and {{ b }}")
    assert not is_expression("a")
    assert not is_expression("{{")
    assert strip_braces(" {{ a }}") == (" a ", 3)
    assert strip_braces("a") == ("a", 0)


def test_references_are_found_without_a_scope() -> None:
    assert references("a.b + mean(x) * series(y) > 10 mV and true") == {"a.b", "x", "y"}
    assert references("hi {{ a }} {{ b.c:.3f }}") == {"a", "b.c"}
    assert references("{{ a }}") == {"a"}
    assert references("no ] expression") == frozenset()


# ---------------------------------------------------------------- any text at all

FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "v",
            "mv",
            "t",
            "t2",
            "vs",
            "ts",
            "ok",
            "reply",
            "answer",
            "maybe",
            "n",
            "pout",
            "gain",
            "eff",
            "bad",
            "late",
            "labels",
            "1",
            "2.5",
            "0",
            "10",
            "mA",
            "V",
            "degC",
            "%",
            "dB",
            "(",
            ")",
            "[",
            "]",
            ",",
            ".",
            "+",
            "-",
            "*",
            "/",
            "**",
            "//",
            "<",
            ">",
            "==",
            "!=",
            "<=",
            "and",
            "or",
            "not",
            "if",
            "else",
            "in",
            "abs",
            "mean",
            "min",
            "slope",
            "where",
            "defined",
            "series",
            "sqrt",
            "any",
            "len",
            "first",
            "round",
            "'x'",
            '"',
            "{{",
            "}}",
            ":",
            "µ",
            "__class__",
            "lambda",
            "1e308",
            "is_nan",
            "nearest",
        ]
    ),
    max_size=14,
).map(" ".join)


def outcome_of(text: str, scope: SimpleScope, environment: dict[str, Any]) -> object:
    """The value, or the error of one of the two kinds that may be raised."""
    try:
        return evaluate(compile_expression(text, scope), environment)
    except (ExpressionError, EvaluationFailed) as error:
        return error


@settings(max_examples=400, deadline=None)
@given(text=FRAGMENTS | st.text(max_size=60))
def test_any_text_gives_a_value_or_one_of_two_errors(text: str) -> None:
    scope, environment = SHARED
    outcome = outcome_of(text, scope, environment)
    if isinstance(outcome, ExpressionError):
        assert 0 <= outcome.start < outcome.end <= max(len(text), 1)
    references(text)


@settings(max_examples=200, deadline=None)
@given(text=FRAGMENTS.map(lambda t: "{{" + t + "}}") | st.text("{}v: .3f'\"", max_size=20))
def test_any_template_gives_a_text_or_one_of_two_errors(text: str) -> None:
    scope, environment = SHARED
    start, end, filled = 0, 1, ""
    try:
        filled = compile_template(text, scope).fn(environment)
    except ExpressionError as error:
        start, end = error.start, error.end
    except EvaluationFailed:
        pass
    assert 0 <= start < end <= max(len(text), 1)
    assert len(filled) < 10_000


SHARED: tuple[SimpleScope, dict[str, Any]] = (SimpleScope(), {})


@pytest.fixture(autouse=True)
def _share(scope: SimpleScope, environment: dict[str, Any]) -> None:
    """Hypothesis runs one test many times; its scope and environment are the same each time."""
    global SHARED
    SHARED = (scope, environment)


# ---------------------------------------------------------------- against a plain reference

SI = {"v": 3.3, "mv": 3.3, "n": 3.0, "eff": 0.93, "elapsed": 30.0, "soak": 120.0}
DIMENSION = {"v": "V", "mv": "V", "n": "", "eff": "", "elapsed": "s", "soak": "s"}


@st.composite
def sums(draw: st.DrawFn, dimension: str, depth: int = 2) -> tuple[str, float]:
    """An expression of one dimension with units everywhere, and its value in SI by plain arithmetic."""
    names = [name for name, its in DIMENSION.items() if its == dimension]
    units = {"V": {"V": 1.0, "mV": 1e-3}, "s": {"s": 1.0, "min": 60.0, "ms": 1e-3}, "": {"%": 1e-2}}[dimension]
    choice = draw(st.integers(0, 7)) if depth else draw(st.integers(0, 1))
    if choice == 0:
        name = draw(st.sampled_from(names))
        return name, SI[name]
    if choice == 1:
        number = draw(st.integers(1, 500)) / 10
        unit = draw(st.sampled_from(sorted(units)))
        return f"{number} {unit}", number * units[unit]
    left, a = draw(sums(dimension, depth - 1))
    if choice in (2, 3):
        right, b = draw(sums(dimension, depth - 1))
        return (f"({left} + {right})", a + b) if choice == 2 else (f"({left} - {right})", a - b)
    if choice == 4:
        right, b = draw(sums("", depth - 1))
        return f"({left} * ({right} + 0 %))", a * b
    if choice == 5:
        return f"({left} / 2.5)", a / 2.5
    if choice == 6:
        right, b = draw(sums(dimension, depth - 1))
        return f"min({left}, {right})", min(a, b)
    right, b = draw(sums(dimension, depth - 1))
    return f"({left} if {left} < {right} else {right})", a if a < b else b


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["V", "s", ""]).flatmap(lambda d: st.tuples(st.just(d), sums(d))))
def test_units_give_what_plain_arithmetic_in_si_gives(case: tuple[str, tuple[str, float]]) -> None:
    from schemas.quantity import parse_unit

    scope, environment = SHARED
    dimension, (text, expected) = case
    assume(len(text) <= 500)
    compiled = compile_expression(text, scope, unit=parse_unit(dimension))
    assert math.isclose(evaluate(compiled, environment), expected, rel_tol=1e-9, abs_tol=1e-6)


@pytest.mark.parametrize("text", [".¹", "1.¹", "¹", "x.²"])
def test_digits_of_other_scripts_are_no_numbers(text):
    with pytest.raises(ExpressionError):
        compile_expression(text, SimpleScope())


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("v > 3", {"v"}),
        ("not v > 3 V and n < 4", {"v", "n"}),
        ("is_nan(v)", set()),
        ("is_nan(v) or v > 3", set()),
        ("is_nan(v / n) or bad > 3", {"bad"}),
        ("abs(v) > 3 or is_nan(n)", {"v"}),
        ("defined(v)", set()),
        ("defined(v) and v > 3", {"v"}),
        ("psu.voltage > 3", {"live:psu.voltage"}),
    ],
)
def test_an_expression_knows_which_readings_it_takes_for_granted(
    scope: SimpleScope, text: str, needs: set[str]
) -> None:
    assert compile_expression(text, scope).needs == needs


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("ok == on", "write `ok`, or `true` for `on`"),
        ("ok == off", "write `not ok`, or `false` for `off`"),
        ("on != ok", "write `not ok`, or `true` for `on`"),
        ("ok and on", "write `true`"),
        ("iteration > 3", "`iteration`, the number of the round, exists inside a `repeat` only"),
    ],
)
def test_words_of_files_and_of_loops_say_what_to_write(scope: SimpleScope, text: str, help: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, scope)
    assert caught.value.message.startswith("unknown name")
    assert caught.value.help == help
