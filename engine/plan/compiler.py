"""Compiles one sequence, in one frame: blocks, lists, ids, common keys. The verbs are in `leaves` and `flow`.

Names become visible in the order in which things can have happened: along a list, along `after`, out of a branch once it
has joined. A second producer of a name is an error unless the two are in exclusive ways, because a reader could not tell
which of them it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.core.bench import PropertySpec, Target
from engine.expr import Kind, Type
from engine.plan.binding import find_property
from engine.plan.drafts import Build, Draft, Ids, Inherited
from engine.plan.limits import CompiledLimit, LimitCompiler
from engine.plan.model import (
    Amount,
    Binding,
    Block,
    Claim,
    Formula,
    MonitorPlan,
    Node,
    RetryPlan,
    Role,
    Steps,
)
from engine.plan.names import Entry, Frame, Scope
from engine.plan.order import check_unordered_sets, dependencies
from engine.plan.values import PLAIN, Values, type_of
from schemas.diagnostics import Problems, did_you_mean
from schemas.limits import Limit, LimitOrCases
from schemas.loading import Loaded
from schemas.quantity import Unit
from schemas.sequence import Sequence as SequenceModel
from schemas.source import Path, Span
from schemas.steps import (
    VERBS,
    CallStep,
    CommandStep,
    GroupStep,
    IfStep,
    Monitor,
    ParallelStep,
    PythonStep,
    RepeatStep,
    Step,
    SweepStep,
    verb_of,
)

_HOLDERS = (GroupStep, SweepStep, RepeatStep, IfStep, ParallelStep, CallStep)
"""Steps that hold others: a default timeout or retry is for the steps inside."""
NOT_YET = ("prompt", "acquire", "barrier", "release")
DEEPEST_CALL = 16


@dataclass(slots=True)
class SequenceCompiler:
    """Compiles the steps of one call of a sequence."""

    build: Build
    file: Loaded[SequenceModel]
    frame: Frame
    roles: Mapping[str, Role]
    prefix: str
    stack: tuple[str, ...]
    """Ids of the sequences that called this one, itself last."""
    values: Values = field(init=False)
    used_limits: set[tuple[str, ...]] = field(default_factory=set)
    made: dict[str, list[tuple[tuple[tuple[str, int], ...], Span]]] = field(default_factory=dict)
    """Producers of each name: the exclusive ways they are in, and where they stand."""

    def __post_init__(self) -> None:
        self.values = Values(self.file, self.frame, self.build.problems, self.build.bound.live_targets(self.roles))

    @property
    def problems(self) -> Problems:
        return self.build.problems

    @property
    def model(self) -> SequenceModel:
        return self.file.model

    # --- the whole sequence

    def sequence(self, scope: Scope) -> Block:
        model = self.model
        inherited = Inherited().with_(model.defaults)
        block = self.block(model.setup, model.steps, model.cleanup, model.monitors, (), scope, self.prefix, inherited)
        self._unused_limits()
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
        before = dict(scope.entries)
        watched = tuple(
            plan
            for name, monitor in monitors.items()
            if (plan := self.monitor(name, monitor, (*path, "monitors", name), scope, f"{base}monitors")) is not None
        )
        first = self.steps(setup, (*path, "setup"), scope, Ids(f"{base}setup"), inherited)
        main = self.steps(steps, (*path, "steps"), scope, Ids(f"{base}steps"), inherited)
        late = scope.copy()
        for name, entry in scope.entries.items():
            if before.get(name) is not entry:
                late.entries[name] = _unsure(entry)
        last = self.steps(cleanup, (*path, "cleanup"), late, Ids(f"{base}cleanup"), inherited)
        for name, entry in late.entries.items():
            if name not in scope.entries:
                scope.entries[name] = _unsure(entry)
        return Block(first, main, last, watched)

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
        check_unordered_sets(
            [(index, compiled[index], (*path, index)) for index in order], ancestors, self.file, self.problems
        )
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
        from engine.plan.flow import compile_flow
        from engine.plan.leaves import compile_leaf

        verb = verb_of(step)
        if verb in NOT_YET:
            self.problems.error("P001", f"`{verb}` is not supported yet", self.file.key((*path, verb)))
            return []
        node_id = name or ids.of(step)
        condition = inherited.of(step, "when")
        when = None
        if condition is not None:
            when = self.values.condition(condition, (*path, "when"), scope)
        unsure = condition is not None or step.skip is not None
        inner = scope.copy() if unsure else scope
        order = self.build.next_order()
        drafts = compile_leaf(self, step, path, inner)
        if drafts is None:
            drafts = compile_flow(self, step, path, inner, node_id, ids, inherited)
        if unsure:
            scope.adopt(inner, maybe=True)
        nodes: list[Node] = []
        for number, draft in enumerate(drafts):
            own_id = node_id if len(drafts) == 1 else ids.unique_below(node_id, draft.suffix)
            own_order = order if number == 0 else self.build.next_order()
            nodes.append(self._node(step, path, scope, inherited, own_id, own_order, draft, when))
        return nodes

    def _node(
        self,
        step: Step,
        path: Path,
        scope: Scope,
        inherited: Inherited,
        node_id: str,
        order: int,
        draft: Draft,
        when: Formula | None,
    ) -> Node:
        retry = self._retry(step, path, scope, inherited, node_id)
        timeout: Amount | None = None
        given = inherited.of(step, "timeout")
        composite = isinstance(step, _HOLDERS)
        if given is not None and not (composite and "timeout" not in step.model_fields_set):
            timeout = self.values.duration(given, (*path, "timeout"), scope)
        once = bool(inherited.of(step, "once"))
        on_resume = inherited.of(step, "on_resume")
        asks = once or isinstance(step, CommandStep | PythonStep)
        claims = self._with_uses(draft.claims, inherited.of(step, "uses"), path)
        for slot in draft.binds:
            self.frame.producers.setdefault(slot, node_id)
        return Node(
            id=node_id,
            verb=verb_of(step),
            title=step.title or getattr(step, "group", "") or "",
            action=draft.action,
            order=order,
            size=self.build.order - order,
            span=self.file.key((*path, verb_of(step))),
            when=when,
            skip=step.skip,
            timeout_s=timeout,
            retry=retry,
            on_fail=inherited.of(step, "on_fail") or "continue",
            on_error=inherited.of(step, "on_error") or "stop",
            once=once,
            on_resume=on_resume or ("ask" if asks else "redo"),
            duration_s=inherited.of(step, "duration"),
            tags=tuple(inherited.of(step, "tags")),
            claims=claims,
            holds=draft.holds,
            binds=draft.binds,
        )

    def _retry(self, step: Step, path: Path, scope: Scope, inherited: Inherited, node_id: str) -> RetryPlan | None:
        retry = inherited.of(step, "retry")
        if retry is None:
            return None
        place: Path = (*path, "retry")
        if inherited.of(step, "once"):
            self.problems.error("P002", "a step that must happen `once` cannot be tried again", self.file.key(place))
            return None
        if "retry" not in step.model_fields_set and isinstance(step, _HOLDERS):
            return None
        delay = self.values.duration(retry.delay, (*place, "delay"), scope)
        remedy = self.steps(
            retry.remedy, (*place, "remedy"), scope.copy(), Ids(f"{node_id}/remedy"), inherited.without_retry()
        )
        kinds = [retry.for_] if isinstance(retry.for_, str) else retry.for_
        return RetryPlan(retry.times, delay if delay is not None else 0.0, frozenset(kinds), remedy)

    def _with_uses(self, claims: tuple[Claim, ...], uses: Iterable[str], path: Path) -> tuple[Claim, ...]:
        found = {claim.resource: claim for claim in claims}
        for index, name in enumerate(uses):
            if name in self.build.bound.resources:
                found.setdefault(name, Claim(name))
            elif name in self.roles:
                claim = self.claim(self.roles[name].instrument)
                found.setdefault(claim.resource, claim)
            else:
                known = [*self.build.bound.resources, *self.roles]
                self.problems.error(
                    "N005",
                    f"unknown resource `{name}`",
                    self.file.at((*path, "uses", index)),
                    label=did_you_mean(name, known),
                    help=f"known here: {', '.join(known)}" if known else "the station has no `resources`",
                )
        return tuple(found[name] for name in sorted(found))

    # --- helpers of the verbs

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
        role, _, prop = name.partition(".")
        return find_property(self.build.bound, self.roles, role, prop, span, self.problems)

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
        self.made.setdefault(name, []).append((scope.arms, span))
        if name in self.model.parameters:
            self.problems.error("N012", f"`{name}` is a parameter already", span, help="give it another name")
        entry = scope.define(name, type_, span=span)
        return entry, scope.bind(entry)

    def limit(
        self,
        given: str | Limit | Sequence[Limit] | None,
        name: str | None,
        path: Path,
        scope: Scope,
        type_: Type,
        *,
        warn: bool = True,
    ) -> CompiledLimit | None:
        """What judges a value: what the step says, else the limit of its name, else nothing."""
        compiler = LimitCompiler(self.values, scope, type_, path, self._series_slot(scope))
        if given == "none":
            return None
        if given is not None and not isinstance(given, str):
            return compiler.compile(name or "limit", given, (*path, "limit"))
        wanted = given or name
        if wanted is None:
            return None
        found = self._named_limit(wanted)
        if found is None:
            if given is not None:
                known = [*self.model.limits, "none"]
                self.problems.error(
                    "N006",
                    f"there is no limit `{given}`",
                    self.file.at((*path, "limit")),
                    label=did_you_mean(given, known),
                    help=f"limits: {', '.join(known)}",
                )
            elif warn:
                self.problems.warning(
                    "P021",
                    f"nothing judges `{name}`",
                    self.file.at((*path, next(iter(self._verbs_at(path)), ""))),
                    help=f"add `{name}` to `limits`, or write `limit: none` if that is meant",
                )
            return None
        limit, place = found
        self.used_limits.add(tuple(str(part) for part in place))
        return compiler.compile(wanted, limit, place)

    def _named_limit(self, name: str) -> tuple[LimitOrCases, Path] | None:
        chosen = self.build.limit_set
        if chosen is not None and name in self.model.limit_sets.get(chosen, {}):
            if name in self.model.limits:
                self.used_limits.add(("limits", name))
            return self.model.limit_sets[chosen][name], ("limit_sets", chosen, name)
        for other, limits in self.model.limit_sets.items():
            if name in limits:
                self.used_limits.add(("limit_sets", other, name))
        if name in self.model.limits:
            return self.model.limits[name], ("limits", name)
        return None

    def _verbs_at(self, path: Path) -> list[str]:
        written = self.file.source_map.get(path)
        return [key for key in written if key in VERBS] if isinstance(written, dict) else []

    def _series_slot(self, scope: Scope) -> Callable[[str, Path], tuple[str, Unit | None] | None]:
        def slot(name: str, path: Path) -> tuple[str, Unit | None] | None:
            symbol = scope.lookup(name) or scope.series(name)
            if symbol is None or symbol.type.kind is not Kind.SERIES:
                self.problems.error("P023", f"a mask runs along a series; `{name}` is none here", self.file.at(path))
                return None
            return symbol.slot, symbol.type.unit

        return slot

    def _unused_limits(self) -> None:
        written: list[Path] = [("limits", name) for name in self.model.limits]
        written += [("limit_sets", chosen, name) for chosen, limits in self.model.limit_sets.items() for name in limits]
        for place in written:
            if tuple(str(part) for part in place) in self.used_limits:
                continue
            if any(other[-1] == place[-1] for other in self.used_limits):
                continue
            name = str(place[-1])
            self.problems.error(
                "P022",
                f"nothing is judged by limit `{name}`",
                self.file.key(place),
                label=did_you_mean(name, self.made),
                help="a limit judges the measured or computed value of its name",
            )

    def monitor(self, name: str, monitor: Monitor, path: Path, scope: Scope, prefix: str) -> MonitorPlan | None:
        """A value watched beside the steps."""
        found = self.property(monitor.from_, self.file.at((*path, "from")))
        if found is None:
            return None
        target, spec = found
        self.build.instruments.add(target.instrument)
        if spec.get is None:
            self.problems.error("B011", f"`{monitor.from_}` cannot be read", self.file.at((*path, "from")))
            return None
        type_ = type_of(spec)
        limit = self.limit(monitor.limit, name, path, scope, type_, warn=False)
        resume = None
        if monitor.resume_when is not None:
            resume = self.values.condition(monitor.resume_when, (*path, "resume_when"), scope, live=True)
        if monitor.on_fail == "pause" and monitor.resume_when is None:
            self.problems.error("P040", "a monitor that pauses needs `resume_when`", self.file.at((*path, "on_fail")))
        if monitor.every <= 0:
            self.problems.error("P041", "`every` must be more than 0 s", self.file.at((*path, "every")))
            return None
        unit = (spec.unit or PLAIN) if spec.type == "number" else None
        return MonitorPlan(
            name,
            f"{prefix}/{name}",
            target,
            unit,
            monitor.every,
            limit,
            monitor.on_fail,
            resume,
            monitor.hold,
            self.build.next_order(),
        )


def _unsure(entry: Entry) -> Entry:
    return entry if entry.maybe or entry.kind in ("parameter", "context") else replace(entry, maybe=True)
