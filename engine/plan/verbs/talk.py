"""`command` and `query`, raw text for an instrument; `log`, `attach` and `python`."""

from __future__ import annotations

import re

from engine.expr import Kind, Type
from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import At, Draft
from engine.plan.limits import CompiledLimit
from engine.plan.model import AttachAction, Binding, CommandAction, LogAction, PythonAction, QueryAction
from schemas.diagnostics import did_you_mean
from schemas.quantity import parse_unit
from schemas.source import Path
from schemas.steps import AttachStep, CommandStep, LogStep, PythonStep, QueryStep

TEXT = Type(Kind.TEXT, None)


def compile_command(c: SequenceCompiler, step: CommandStep, at: At) -> list[Draft]:
    drafts = []
    for role, raw in step.command.items():
        place = at.place("command", role)
        instrument = _instrument(c, role, place)
        text = c.values.text(raw, place, at.scope)
        if instrument is None or text is None:
            continue
        if c.build.bound.shared(instrument) and instrument not in at.scope.held:
            c.problems.error(
                "B032",
                f"`{role}` is shared by the units of this station, and raw text would disturb the others",
                c.file.key(place),
                help=f"put the step into a `group` with `hold: [{role}]`",
            )
        drafts.append(Draft(CommandAction(instrument, text), role, c.claims(instrument)))
    return drafts


def _instrument(c: SequenceCompiler, role: str, path: Path) -> str | None:
    found = c.roles.get(role)
    if found is None:
        if role not in c.frame.unbound:
            c.problems.error(
                "N002",
                f"unknown role `{role}`",
                c.file.key(path),
                label=did_you_mean(role, c.roles),
                help=c.unknown_role_help(role),
            )
        return None
    return found.instrument


def compile_query(c: SequenceCompiler, step: QueryStep, at: At) -> list[Draft]:
    role, raw = next(iter(step.query.items()))
    place = at.place("query", role)
    instrument = _instrument(c, role, place)
    text = c.values.text(raw, place, at.scope)
    unit = parse_unit(step.unit) if step.unit is not None else None
    type_ = Type(Kind.NUMBER, unit) if unit is not None else TEXT
    limit, binding, binds = _stored(c, step, at, type_)
    if step.store is None and unit is not None:
        c.problems.error(
            "P006", "a reply with a unit needs a name", c.file.key(at.place("unit")), help="add `store: name`"
        )
    groups = []
    for name in re.compile(step.expect).groupindex if step.expect is not None else ():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            c.problems.error(
                "N008",
                f"group `{name}` would become a value, and is not a name",
                c.file.at(at.place("expect")),
                help="use small letters, digits and `_`, beginning with a letter",
            )
            continue
        entry, one = c.define(name, TEXT, at.place("expect"), at.scope)
        groups.append(one)
        binds.append(entry.slot)
    if instrument is None or text is None:
        return []
    action = QueryAction(instrument, text, binding, tuple(groups), step.expect, unit, limit)
    return [Draft(action, claims=c.claims(instrument), binds=tuple(binds))]


def compile_log(c: SequenceCompiler, step: LogStep, at: At) -> list[Draft]:
    text = c.values.text(step.log, at.place("log"), at.scope)
    c.check_public(text, at.place("log"))
    return [Draft(LogAction(text, step.level))] if text is not None else []


def compile_attach(c: SequenceCompiler, step: AttachStep, at: At) -> list[Draft]:
    text = c.values.text(step.attach, at.place("attach"), at.scope)
    c.check_public(text, at.place("attach"))
    if isinstance(text, str):
        path = (c.build.root / text).resolve()
        if not path.is_relative_to(c.build.root.resolve()):
            c.problems.error(
                "P009",
                f"`{text}` lies outside the project",
                c.file.at(at.place("attach")),
                help="only files below the project's folder are kept with a run",
            )
            return []
    return [Draft(AttachAction(text, str(c.build.root)))] if text is not None else []


def compile_python(c: SequenceCompiler, step: PythonStep, at: At) -> list[Draft]:
    module, _, function = step.python.partition(":")
    if module not in c.build.plugins:
        c.problems.error(
            "P007",
            f"`{module}` is not among the project's plugins",
            c.file.at(at.place("python")),
            label=did_you_mean(module, c.build.plugins),
            help="name it under `plugins` in benchwright.yaml: only modules named there are run",
        )
    before = len(c.problems.errors)
    arguments = {name: c.values.json(raw, at.place("args", name), at.scope) for name, raw in step.args.items()}
    unit = parse_unit(step.unit) if step.unit is not None else None
    type_ = Type(Kind.NUMBER, unit) if unit is not None else Type(Kind.ANY, None)
    limit, binding, binds = _stored(c, step, at, type_)
    if len(c.problems.errors) > before:
        return []
    action = PythonAction(module, function, str(c.build.root), arguments, binding, unit, limit)
    return [Draft(action, binds=tuple(binds))]


def _stored(
    c: SequenceCompiler, step: QueryStep | PythonStep, at: At, type_: Type
) -> tuple[CompiledLimit | None, Binding | None, list[str]]:
    """The limit of what comes back, where it goes, and its slot."""
    limit = None
    if step.limit is not None or step.store is not None:
        limit = c.limit(step.limit, step.store, at, type_)
    if step.store is None:
        return limit, None, []
    entry, binding = c.define(step.store, type_, at.place("store"), at.scope)
    return limit, binding, [entry.slot]
