"""Compiles a call of another sequence: a frame of its own, its parameters, its roles, what is taken out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.core.errors import EvaluationFailed
from engine.expr import Type, is_expression
from engine.plan.binding import bind_roles
from engine.plan.compiler import DEEPEST_CALL, SequenceCompiler
from engine.plan.drafts import At, Draft
from engine.plan.model import Binding, CallAction, Constant, Formula, Role
from engine.plan.names import Frame, Scope
from engine.plan.parameters import (
    CONTEXT_SLOTS,
    ParameterSpec,
    define_context,
    define_unusable,
    parameter_specs,
    typed,
)
from schemas.diagnostics import InvalidFiles, did_you_mean
from schemas.loading import Loaded, load
from schemas.sequence import Sequence
from schemas.source import Path
from schemas.steps import CallStep


def compile_call(c: SequenceCompiler, step: CallStep, at: At) -> list[Draft]:
    """The called sequence, compiled in place; empty where it has problems."""
    place = at.place("call")
    file = _called(c, step.call, place)
    if file is None:
        _spoil(c, step, at)
        return []
    roles = _roles(c, step, at.path, file)
    frame = Frame()
    inner = Scope(frame)
    inner.held, inner.sure = at.scope.held, at.scope.sure
    define_context(inner, file.model)
    for name, identity in file.model.dut.items():
        c.build.identity.setdefault(name, identity)
    compiler = SequenceCompiler(c.build, c.verbs, file, frame, roles, at.node_id, (*c.stack, step.call))
    specs = parameter_specs(file, frame, c.problems)
    arguments = _arguments(c, step, at, file, specs, inner)
    define_unusable(inner, frame)
    block = compiler.sequence(inner)
    store: list[tuple[Binding, str]] = []
    binds: list[str] = []
    for local, name in step.store.items():
        entry = inner.entries.get(name)
        if entry is None or entry.kind in ("context", "parameter"):
            made = [known for known, other in inner.entries.items() if other.kind not in ("context", "parameter")]
            c.problems.error(
                "N018",
                f"`{step.call}` makes no value `{name}`",
                c.file.at(at.place("store", local)),
                label=did_you_mean(name, made),
                help=f"it makes: {', '.join(made)}" if made else "",
            )
            c.spoilt(local, at.place("store", local), at.scope)
            continue
        entry.ask()
        outer, binding = c.define(local, entry.type, at.place("store", local), at.scope)
        outer.maybe = entry.maybe
        store.append((binding, entry.slot))
        binds.append(outer.slot)
    inherited = (*CONTEXT_SLOTS, *(f"dut.{name}" for name in file.model.dut))
    action = CallAction(step.call, block, tuple(arguments), dict(frame.constants), inherited, tuple(store))
    return [Draft(action, binds=tuple(binds))]


def _spoil(c: SequenceCompiler, step: CallStep, at: At) -> None:
    for local in step.store:
        c.spoilt(local, at.place("store", local), at.scope)


def _called(c: SequenceCompiler, sequence_id: str, place: Path) -> Loaded[Sequence] | None:
    """The file of the called sequence; None where it cannot be called."""
    if sequence_id in c.stack:
        chain = " → ".join([*c.stack[c.stack.index(sequence_id) :], sequence_id])
        c.problems.error(
            "N017",
            f"a sequence cannot call itself: {chain}",
            c.file.at(place),
            help="for doing something again there are `repeat` and `sweep`",
        )
        return None
    if len(c.stack) >= DEEPEST_CALL:
        c.problems.error("N017", f"calls are nested deeper than {DEEPEST_CALL}", c.file.at(place))
        return None
    found = c.build.library.find("sequence", sequence_id)
    if found is None:
        known = sorted(c.build.library.ids("sequence"))
        c.problems.error(
            "N001",
            f"there is no sequence `{sequence_id}`",
            c.file.at(place),
            label=did_you_mean(sequence_id, known),
            help=f"sequences found: {', '.join(known)}",
        )
        return None
    cached = c.build.sequences.get(found.path)
    if cached is not None:
        return cached
    try:
        file: Loaded[Sequence] = load(found.path, "sequence")
    except InvalidFiles as invalid:
        c.problems.extend(invalid.problems)
        return None
    c.build.sequences[found.path] = file
    return file


def _roles(c: SequenceCompiler, step: CallStep, path: Path, file: Loaded[Sequence]) -> dict[str, Role]:
    """Its roles: those handed over, else the caller's of the same name, else the station's."""
    needs = dict(file.model.needs)
    roles: dict[str, Role] = {}
    for inner, outer in step.roles.items():
        place: Path = (*path, "roles", inner)
        if inner not in needs:
            c.problems.error(
                "N002", f"`{step.call}` needs no role `{inner}`", c.file.key(place), label=did_you_mean(inner, needs)
            )
            continue
        role = c.roles.get(outer)
        if role is None:
            if outer not in c.frame.unbound:
                c.problems.error(
                    "N002",
                    f"unknown role `{outer}`",
                    c.file.at(place),
                    label=did_you_mean(outer, c.roles),
                    help=c.unknown_role_help(outer),
                )
            needs.pop(inner)
            continue
        capability = needs.pop(inner)
        if capability not in ("generic", role.capability):
            c.problems.error(
                "B003",
                f"role `{inner}` of `{step.call}` needs a {capability}, `{outer}` is a {role.capability}",
                c.file.at(place),
            )
            continue
        roles[inner] = role
    for name, capability in list(needs.items()):
        role = c.roles.get(name)
        if role is not None and capability in ("generic", role.capability):
            roles[name] = role
            del needs[name]
    roles |= bind_roles(needs, c.build.bound, file, c.problems)
    return roles


def _arguments(
    c: SequenceCompiler,
    step: CallStep,
    at: At,
    file: Loaded[Sequence],
    specs: dict[str, ParameterSpec],
    inner: Scope,
) -> list[tuple[str, Formula | Constant]]:
    arguments: list[tuple[str, Formula | Constant]] = []
    frame_secrets = inner.frame.secrets
    for name in step.with_:
        if name not in specs:
            c.problems.error(
                "N019",
                f"`{step.call}` has no parameter `{name}`",
                c.file.key(at.place("with", name)),
                label=did_you_mean(name, specs),
                help=f"parameters: {', '.join(specs)}" if specs else "it has none",
            )
    for name, spec in specs.items():
        entry = inner.define(name, spec.type, kind="parameter", span=file.key(("parameters", name)))
        place = at.place("with", name)
        if name not in step.with_:
            if spec.default is None:
                c.problems.error(
                    "P050",
                    f"`{step.call}` must be given `{name}`",
                    c.file.at(at.place("call")),
                    help=f"add it under `with`: `with: {{{name}: …}}`",
                )
            else:
                inner.frame.constants[entry.slot] = spec.default
            continue
        value = _argument(c, step.with_[name], place, at.scope, spec.type)
        if value is None:
            continue
        if spec.secret:
            frame_secrets.add(entry.slot)
        elif _is_secret(c, step.with_[name], place, at):
            c.problems.error(
                "P057",
                f"this is secret, and `{name}` of `{step.call}` is not",
                c.file.at(place),
                help=f"declare `{name}` there with `secret: true`",
            )
        if not isinstance(value, Formula):
            problem = spec.refuses(value)
            if problem is not None:
                c.problems.error("P051", f"`{name}` {problem}", c.file.at(place))
                continue
            inner.frame.constants[entry.slot] = value
        else:
            value = _bounded(value, spec)
        arguments.append((entry.slot, value))
    return arguments


def _bounded(formula: Formula, spec: ParameterSpec) -> Formula:
    """An argument that is only known during the run, held to what the parameter allows then."""
    inner, tell = formula.fn, formula.explain

    def checked(environment: Mapping[str, Any]) -> Any:
        value = inner(environment)
        problem = spec.refuses(value)
        if problem is not None:
            raise _Refused(f"`{spec.name}` {problem}")
        return value

    def explain(error: BaseException) -> EvaluationFailed:
        return EvaluationFailed(str(error)) if isinstance(error, _Refused) else tell(error)

    return replace(formula, fn=checked, explain=explain)


class _Refused(ValueError):
    """A value that the called sequence does not allow."""


def _is_secret(c: SequenceCompiler, raw: Any, path: Path, at: At) -> bool:
    if not (isinstance(raw, str) and is_expression(raw)):
        return False
    formula = c.values.compile(raw, path, at.scope)
    return formula is not None and bool(formula.names & c.frame.secrets)


def _argument(c: SequenceCompiler, raw: Any, path: Path, scope: Scope, type_: Type) -> Formula | Constant | None:
    if isinstance(raw, str) and is_expression(raw):
        formula = c.values.compile(raw, path, scope, unit=type_.unit, want=type_.kind)
        if formula is None:
            return None
        known, value = c.values.folded(formula)
        folded: Constant | None = value
        return folded if known else formula
    constant: Constant | None = typed(raw, type_, path, c.values)
    return constant
