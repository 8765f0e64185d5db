"""Compiles one sequence, in one frame: blocks, lists, ids, common keys. What each verb does is in `verbs`.

Names become visible in the order in which things can have happened: along a list, along `after`, out of a branch once it
has joined. A second producer of a name is an error unless the two are in exclusive ways, because a reader could not tell
which of them it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.core.bench import PropertySpec, Target
from engine.expr import Kind, Type
from engine.plan.binding import find_property
from engine.plan.declared import declared_names
from engine.plan.drafts import At, Build, Draft, Ids, Inherited
from engine.plan.judging import Judging
from engine.plan.limits import CompiledLimit
from engine.plan.model import Binding, Block, Claim, Formula, Node, Role, Steps
from engine.plan.monitors import compile_monitor
from engine.plan.names import Entry, Frame, Scope, reserved
from engine.plan.nodes import make_node
from engine.plan.order import check_unordered, dependencies
from engine.plan.values import Values
from schemas.diagnostics import Problems, did_you_mean
from schemas.limits import Limit
from schemas.loading import Loaded
from schemas.sequence import Sequence as SequenceModel
from schemas.source import Path, Span
from schemas.steps import Monitor, Step, StepBase

DEEPEST_CALL = 16
VerbCompiler = Callable[["SequenceCompiler", Any, At], list[Draft]]
"""(compiler, step, place) → what the step becomes; nothing where it has problems."""


@dataclass(slots=True)
class SequenceCompiler:
    """Compiles the steps of one call of a sequence."""

    build: Build
    verbs: Mapping[type[StepBase], VerbCompiler]
    file: Loaded[SequenceModel]
    frame: Frame
    roles: Mapping[str, Role]
    prefix: str
    stack: tuple[str, ...]
    """Ids of the sequences that called this one, itself last."""
    values: Values = field(init=False)
    judging: Judging = field(init=False)
    made: dict[str, list[tuple[tuple[tuple[str, int], ...], Span]]] = field(default_factory=dict)
    """Producers of each name: the exclusive ways they are in, and where they stand."""

    def __post_init__(self) -> None:
        bound = self.build.bound
        self.frame.readable = bound.readable(self.roles)
        self.frame.unbound = {name for name in self.model.needs if name not in self.roles}
        self.frame.declared = declared_names(self.file)
        self.values = Values(self.file, self.frame, self.build.problems, bound.live_targets(self.roles))
        self.judging = Judging(self.model, self.values, self.build.limit_set)

    @property
    def problems(self) -> Problems:
        return self.build.problems

    @property
    def model(self) -> SequenceModel:
        return self.file.model

    # --- the whole sequence

    def sequence(self, scope: Scope) -> Block:
        model = self.model
        inherited = Inherited().with_(model.defaults, ("defaults",))
        block = self.block(model.setup, model.steps, model.cleanup, model.monitors, (), scope, self.prefix, inherited)
        self.judging.finish()
        return block

    def block(
        self,
        setup: Sequence[Step],
        steps: Sequence[Step],
        cleanup: Sequence[Step],
        monitors: Mapping[str, Monitor],
        path: Path,
        scope: Scope,
        prefix: str,
        inherited: Inherited,
    ) -> Block:
        """Setup, steps and cleanup; a cleanup may find that what it reads was never made."""
        base = f"{prefix}/" if prefix else ""
        around, scope.changed = scope.changed, {}
        watched = []
        for name, monitor in monitors.items():
            plan = compile_monitor(self, name, monitor, (*path, "monitors", name), scope, f"{base}monitors")
            if plan is not None:
                watched.append(plan)
        first = self.steps(setup, (*path, "setup"), scope, Ids(f"{base}setup"), inherited)
        main = self.steps(steps, (*path, "steps"), scope, Ids(f"{base}steps"), inherited)
        late = scope.copy()
        for name in scope.changed:
            late.entries[name] = _unsure(late.entries[name])
        last = self.steps(cleanup, (*path, "cleanup"), late, Ids(f"{base}cleanup"), inherited)
        for name in late.changed:
            if name not in scope.entries:
                scope.put(name, _unsure(late.entries[name]))
        around.update(scope.changed)
        scope.changed = around
        return Block(first, main, last, tuple(watched))

    def steps(self, steps: Sequence[Step], path: Path, scope: Scope, ids: Ids, inherited: Inherited) -> Steps:
        """A list: one after the other, or, where `after` is used, a graph."""
        if not any(step.after is not None for step in steps):
            self._ids_differ(steps, path)
            nodes: list[Node] = []
            for index, step in enumerate(steps):
                nodes += self.step(step, (*path, index), scope, ids, inherited)
            return Steps(tuple(nodes))
        return self._graph(steps, path, scope, ids, inherited)

    def _graph(self, steps: Sequence[Step], path: Path, scope: Scope, ids: Ids, inherited: Inherited) -> Steps:
        self._ids_differ(steps, path)
        needs, order = dependencies(steps, self.file, path, self.problems)
        seen: dict[int, Scope] = {}
        compiled: dict[int, list[Node]] = {}
        names = {index: ids.of(step) for index, step in enumerate(steps)}
        ancestors: dict[int, set[int]] = {}
        for index in order:
            ancestors[index] = set(needs[index]).union(*(ancestors[other] for other in needs[index]))
            own = scope.copy()
            for other in sorted(ancestors[index]):
                own.adopt(seen[other])
            compiled[index] = self.step(steps[index], (*path, index), own, ids, inherited, names[index])
            seen[index] = own
        for index in sorted(seen):
            scope.adopt(seen[index])
        nodes: list[Node] = []
        waits: list[tuple[int, ...]] = []
        last_of: dict[int, int | None] = {}
        for index in order:
            previous: tuple[int, ...] = tuple(
                sorted({position for other in needs[index] if (position := last_of[other]) is not None})
            )
            for node in compiled[index]:
                nodes.append(node)
                waits.append(previous)
                previous = (len(nodes) - 1,)
            last_of[index] = previous[0] if compiled[index] else None
        groups = [(index, compiled[index], (*path, index)) for index in order]
        check_unordered(groups, ancestors, self.file, self.problems)
        return Steps(tuple(nodes), tuple(waits))

    def _ids_differ(self, steps: Sequence[Step], path: Path) -> None:
        first: dict[str, int] = {}
        for index, step in enumerate(steps):
            if step.id is None:
                continue
            if step.id in first:
                self.problems.error(
                    "N010",
                    f"two steps of this list have the id `{step.id}`",
                    self.file.at((*path, index, "id")),
                    notes=((self.file.at((*path, first[step.id], "id")), "the first one"),),
                )
            first.setdefault(step.id, index)

    # --- one step

    def step(
        self, step: Step, path: Path, scope: Scope, ids: Ids, inherited: Inherited, name: str | None = None
    ) -> list[Node]:
        """The nodes of a step: one, or one for each instrument it sets."""
        node_id = name or ids.of(step)
        condition, place = inherited.find(step, "when", path)
        when = None
        if condition is not None:
            when = self.values.condition(condition, place, scope)
        unsure = condition is not None or step.skip is not None
        inner = scope.copy() if unsure else scope
        if unsure:
            inner.sure = False
        order = self.build.next_order()
        drafts = self.verbs[type(step)](self, step, At(path, inner, node_id, ids, inherited))
        if unsure:
            scope.adopt(inner, maybe=True)
        nodes: list[Node] = []
        made = {name: list(places) for name, places in self.made.items()} if len(drafts) > 1 else None
        for number, draft in enumerate(drafts):
            if made is not None:  # each node repeats the same remedy, which may make the same names
                self.made = {name: list(places) for name, places in made.items()}
            own_id = node_id if len(drafts) == 1 else ids.unique_below(node_id, draft.suffix)
            own_order = order if number == 0 else self.build.next_order()
            nodes.append(make_node(self, step, path, scope, inherited, own_id, own_order, draft, when))
        return nodes

    # --- helpers of the verbs

    def resource(self, name: str, path: Path) -> Claim | None:
        """What taking a role or a plain resource of the station means."""
        if name in self.build.bound.resources:
            return Claim(name)
        if name in self.roles:
            return self.claim(self.roles[name].instrument)
        if name not in self.frame.unbound:
            known = [*self.build.bound.resources, *self.roles]
            self.problems.error(
                "N005",
                f"unknown role or resource `{name}`",
                self.file.at(path),
                label=did_you_mean(name, known),
                help=f"known here: {', '.join(known)}" if known else "the station has no `resources`",
            )
        return None

    def claim(self, instrument: str) -> Claim:
        self.build.instruments.add(instrument)
        return Claim(instrument, per_site=self.build.bound.instruments[instrument].per_site)

    def claims(self, *touched: Formula | Target | str | None) -> tuple[Claim, ...]:
        """The instruments behind targets, names and live readings; sorted, each once."""
        names: set[str] = set()
        for item in touched:
            match item:
                case Formula():
                    names |= {reading.target.instrument for reading in item.live}
                case Target():
                    names.add(item.instrument)
                case str():
                    names.add(item)
        return tuple(self.claim(name) for name in sorted(names))

    def property(self, name: str, span: Span) -> tuple[Target, PropertySpec] | None:
        """The property behind `role.property` of this sequence."""
        help_ = self.unknown_role_help(name.partition(".")[0])
        return find_property(
            self.build.bound, self.roles, name, span, self.problems, unbound=self.frame.unbound, help=help_
        )

    def unknown_role_help(self, role: str) -> tuple[str, ...]:
        """What to do about a role that is not declared."""
        known = self.build.bound.roles.get(role)
        if known is not None:
            return (f"add `{role}: {known.capability}` to `needs`: the station has one",)
        if not self.model.needs:
            return ("declare the instruments that the sequence uses under `needs`",)
        return (f"roles here: {', '.join(self.model.needs)}",)

    def define(self, name: str, type_: Type, path: Path, scope: Scope) -> tuple[Entry, Binding]:
        """A name that a step makes; a second maker of it is told."""
        span = self.file.at(path)
        for arms, other in self.made.get(name, ()):
            exclusive = any(mine[0] == theirs[0] and mine[1] != theirs[1] for mine in scope.arms for theirs in arms)
            if not exclusive:
                self.problems.error(
                    "N011",
                    f"`{name}` is made by two steps, so a reader could not tell which it gets",
                    span,
                    notes=((other, "made here first"),),
                    help="give one of them another name",
                )
                break
        else:
            self.check_name(name, span, scope)
        self.made.setdefault(name, []).append((scope.arms, span))
        entry = scope.define(name, type_, span=span)
        return entry, scope.bind(entry)

    def check_name(self, name: str, span: Span, scope: Scope, *, again: tuple[str, ...] = ()) -> bool:
        """Whether a name is free here for something new; kinds in `again` may be made anew."""
        what = reserved(name)
        known = scope.entries.get(name)
        if what is None and known is not None and known.kind not in again:
            what = {
                "parameter": "is a parameter already",
                "context": "is a name of the language",
                "let": "is a working value already",
                "value": "is a measured or computed value already",
                "axis": "is an axis around this step already" if known.is_open_axis else None,
                "series": None,
            }[known.kind]
        if what is None:
            return True
        notes = ((known.span, "this one"),) if known is not None and known.span is not None else ()
        self.problems.error("N012", f"`{name}` {what}", span, help="take another name", notes=notes)
        return False

    def spoilt(self, name: str, path: Path, scope: Scope, limit: str | Limit | Sequence[Limit] | None = None) -> None:
        """A name whose step has a problem: it is defined all the same, so that its readers are not told as well."""
        self.judging.spoilt(limit, name)
        self.define(name, Type(Kind.ANY, None), path, scope)

    def check_public(self, value: Any, path: Path) -> None:
        """What is written to the journal must hold no secret."""
        match value:
            case Formula() if value.names & self.frame.secrets:
                names = ", ".join(f"`{name}`" for name in sorted(value.names & self.frame.secrets))
                self.problems.error(
                    "P057",
                    f"{names} is secret and would be written down here",
                    self.file.at(path),
                    help="a secret can be used in `command`, `query`, `set` and `python`",
                )
            case dict():
                for key, item in value.items():
                    self.check_public(item, (*path, key))
            case list():
                for index, item in enumerate(value):
                    self.check_public(item, (*path, index))

    def limit(
        self,
        given: str | Limit | Sequence[Limit] | None,
        name: str | None,
        at: At,
        type_: Type,
        *,
        made: Path | None = None,
    ) -> CompiledLimit | None:
        """What judges a value of the step at a place."""
        return self.judging.limit(given, name, at.path, at.scope, type_, made=made)


def _unsure(entry: Entry) -> Entry:
    return entry if entry.maybe or entry.kind in ("parameter", "context") else replace(entry, maybe=True)
