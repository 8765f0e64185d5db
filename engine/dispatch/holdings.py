"""What one unit holds across its nodes, where each of it ends, and what the unit may still need until then.

A span ends with the innermost group or call around the node that opened it, after its cleanup, or at `release`. A unit that
has something of its own at a time is never asked for it again. Exists only in runs of several units.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.dispatch.frame import Frame, Want
from engine.dispatch.gate import with_extra
from engine.dispatch.locks import Need, NotNow, Span, Ticket
from engine.dispatch.values import plain
from engine.plan.model import Block, Claim, Formula, Hold, SetAction, Write
from engine.plan.needs import Needs, PlanNeeds
from schemas.documents import Held, Waited

if TYPE_CHECKING:
    from engine.dispatch.prepare import Prepared
    from engine.dispatch.strand import Strand
    from engine.dispatch.unit import UnitRun


NOBODY = -1
"""No unit: whoever has something of an instrument is somebody else."""
LEFT = "others hold or want `{}`: its value is set when they have left"


class Scope:
    """One run of a group, a call or the whole sequence: where what is begun to be held in it ends."""

    __slots__ = ("needs", "outer", "spans")

    def __init__(self, outer: Scope | None, needs: Needs) -> None:
        self.outer = outer
        self.needs = needs
        self.spans: list[Span] = []

    def around(self) -> Generator[Scope, None, None]:
        """This one and all outside it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


class Acquired:
    """What a node got: its ticket, and what it is to do in place of its action."""

    __slots__ = ("action", "message", "ticket")

    def __init__(self, ticket: Ticket | None, message: str = "", action: Any = None) -> None:
        self.ticket = ticket
        self.message = message
        """Why it does not do all of its action; empty: it does."""
        self.action = action
        """What is left of it; None: nothing."""


class Holdings:
    """Of one unit."""

    def __init__(self, unit: UnitRun, needs: PlanNeeds) -> None:
        self._unit = unit
        self._gate = unit.gate
        self._needs = needs
        self.modes = needs.modes
        self._scopes: list[Scope] = []
        """Those in which something is held."""
        self.root = Scope(None, needs.root)

    def scope(self, outer: Scope | None, block: Block) -> Scope:
        """A group or call begins."""
        return Scope(outer, self._needs.block(block))

    # -- what the unit has

    def has(self, resource: str, scope: Scope | None = None) -> bool:
        """Whether it holds this alone; with `scope`: as seen from there."""
        scopes = self._scopes if scope is None else scope.around()
        return any(span.resource == resource and span.kind != "mode" for one in scopes for span in one.spans)

    def mode(self, resource: str) -> tuple[Scope, Span] | None:
        """The value it holds together with others."""
        for scope in self._scopes:
            for span in scope.spans:
                if span.kind == "mode" and span.resource == resource:
                    return scope, span
        return None

    def is_undisturbed(self) -> bool:
        """Whether no other unit can change anything that this one may be looking at."""
        return all(self.has(mode) or self.mode(mode) is not None for mode in self.modes)

    # -- acquiring

    def acquire(
        self, strand: Strand, prepared: Prepared, frame: Frame, id: str, order: int
    ) -> Generator[Any, Any, Acquired | None]:
        """Have what a node needs; None where nobody can be in its way."""
        unit, gate = self._unit, self._gate
        gate.check(prepared.wants)
        wants, joins = self._wanted(prepared, frame)
        opens: list[Span] = []
        message, action = "", None
        scope: Scope = frame.scope
        for hold in prepared.holds:
            resource = unit.resource(Claim(hold.resource))
            if hold.kind == "drive":
                if not self.has(resource, scope):
                    opens.append(Span(unit.number, resource, "drive", id))
                continue
            value = self._value(strand, prepared, frame, hold, id, order)
            held = self.mode(resource)
            if held is not None and held[1].value == value:
                continue
            if held is not None:
                # before waiting for the new value, or two units would wait for each other
                self._close(*held)
            if strand.shield and not gate.mode_is_free(resource, unit.number, value):
                unit.shared.leftovers.leave(unit, prepared.node.action, hold, resource, value)
                message = LEFT.format(hold.resource)
                action = without(prepared.node.action, hold.property)
                continue
            opens.append(Span(unit.number, resource, "mode", id, 1, value))
        if message and action is None and not opens:
            return Acquired(None, message)
        if not wants and not joins and not opens:
            return None
        gives_way = bool(strand.shield) and any(span.kind == "mode" for span in opens)
        try:
            ticket = yield from self._take(id, order, wants, joins, tuple(opens), scope, frame, patient=not gives_way)
        except NotNow:
            # a unit that cleans up does not wait for others to leave a value: they, or the last of them, set it
            hold = next(hold for hold in prepared.holds if hold.kind == "mode")
            resource = unit.resource(Claim(hold.resource))
            value = next(span.value for span in opens if span.resource == resource and span.kind == "mode")
            unit.shared.leftovers.leave(unit, prepared.node.action, hold, resource, value)
            message, action = LEFT.format(hold.resource), without(prepared.node.action, hold.property)
            if action is None:
                return Acquired(None, message)
            opens = [span for span in opens if span.kind != "mode"]
            ticket = yield from self._take(id, order, wants, joins, tuple(opens), scope, frame)
        return Acquired(ticket, message, action)

    def _wanted(self, prepared: Prepared, frame: Frame) -> tuple[tuple[Want, ...], tuple[str, ...]]:
        """What the node takes for itself, and what it shares with others that want the same of it."""
        wants = prepared.common if self._unit.is_single else prepared.wants
        extra = frame.wants
        if extra and self._unit.is_single:
            extra = tuple(want for want in extra if want[0] not in self._unit.own)
        wants = with_extra(wants, extra)
        if not prepared.joins:
            return wants, ()
        joins = tuple(resource for resource in prepared.joins if not self.has(resource))
        return tuple(want for want in wants if want[0] not in joins), joins

    def _value(self, strand: Strand, prepared: Prepared, frame: Frame, hold: Hold, id: str, order: int) -> Any:
        action: SetAction = prepared.node.action  # type: ignore[assignment]
        write = next(write for write in reversed(action.writes) if write.target.property == hold.property)
        if not isinstance(write.value, Formula):
            return write.value
        return plain(strand.step.value(write.value))

    def _take(
        self,
        id: str,
        order: int,
        wants: tuple[Want, ...],
        joins: tuple[str, ...],
        opens: tuple[Span, ...],
        scope: Scope,
        frame: Frame,
        patient: bool = True,
    ) -> Generator[Any, Any, Ticket]:
        unit = self._unit
        asked = unit.clock.now
        for span in opens:
            span.scope = scope
        need = self.need if opens else None
        ticket = yield from self._gate.acquire(
            unit.number, id, order, wants, joins=joins, opens=opens, need=need, patient=patient
        )
        if opens:
            if not scope.spans:
                self._scopes.append(scope)
            scope.spans.extend(opens)
        now = unit.clock.now
        if now > asked:
            if frame.deadline is not None:
                frame.deadline.extend(now - asked)
            resource, others = ticket.blocked_by or ("", ())
            unit.emitter.note(Waited(unit.number, id, resource, others, asked, now))
        return ticket

    def release(self, ticket: Ticket) -> None:
        """A node is over; says what it had."""
        if self._gate.release(ticket) and ticket.granted:
            unit = self._unit
            now = unit.clock.now
            for resource in (*dict(ticket.wants), *ticket.joins):
                if resource not in unit.own:
                    unit.emitter.note(Held(unit.number, resource, "claim", ticket.node, ticket.granted_at, now))

    def by_hand(self, scope: Scope, block: Block, id: str, order: int, frame: Frame) -> Generator[Any, Any, None]:
        """A group begins that holds something for all of its steps."""
        unit = self._unit
        opens: list[Span] = []
        for claim in block.hold:
            resource = unit.resource(claim)
            if resource in unit.own or self.has(resource, scope):
                continue
            held = self.mode(resource)
            if held is not None:
                self._close(*held)
            opens.append(Span(unit.number, resource, "hold", id, claim.amount))
        if not opens:
            return
        ticket = yield from self._take(id, order, (), (), tuple(opens), scope, frame)
        self._gate.release(ticket)

    # -- what it may still need

    def need(self, spans: Sequence[Span]) -> Need:
        """Until the unit holds nothing any more, if it holds these."""
        scopes: dict[int, Scope] = {id(span.scope): span.scope for span in spans}
        outermost = [one for one in scopes.values() if not any(id(other) in scopes for other in _outside(one))]
        if len(outermost) == 1:
            most, modes = outermost[0].needs.most, outermost[0].needs.modes
        else:
            most, modes = self._sum(outermost), frozenset().union(*(one.needs.modes for one in outermost))
        # what is given up next is a value beside which its group wants no other: for two, one would be kept while waiting
        phases = [span for span in spans if span.kind == "mode" and span.scope.needs.modes == {span.resource}]
        if len(phases) != 1:
            return Need(most, modes)
        where, mode = phases[0].scope, phases[0].resource
        phase = dict(where.needs.most)
        after = dict(where.needs.kept)
        for span in spans:
            scope, resource, amount = span.scope, span.resource, span.amount
            if span.kind == "mode" or where in _outside(scope):
                continue
            after[resource] = max(after.get(resource, 0), amount)
            if scope is where or scope in _outside(where):
                phase[resource] = max(phase.get(resource, 0), amount)
            else:  # in another branch: that comes on top
                phase[resource] = min(phase.get(resource, 0) + amount, self._capacity(resource))
        return Need(most, modes, phase, mode, after)

    def _capacity(self, resource: str) -> int:
        return self._unit.plan.resources.get(resource, 1)

    def _sum(self, scopes: list[Scope]) -> dict[str, int]:
        total: dict[str, int] = {}
        for scope in scopes:
            for resource, amount in scope.needs.most.items():
                total[resource] = min(total.get(resource, 0) + amount, self._capacity(resource))
        return total

    # -- giving up

    def _close(self, scope: Scope, span: Span) -> None:
        if span in scope.spans:
            scope.spans.remove(span)
            if not scope.spans:
                self._scopes.remove(scope)
        if self._gate.close(span):
            unit = self._unit
            value = span.value if span.kind == "mode" else None
            held = Held(unit.number, span.resource, span.kind, span.node, span.since, unit.clock.now, value)
            unit.emitter.note(held)

    def give_up(self, claims: tuple[Claim, ...]) -> None:
        """Hold these no longer, wherever it was begun."""
        for claim in claims:
            resource = self._unit.resource(claim)
            for scope in tuple(self._scopes):
                for span in tuple(scope.spans):
                    if span.resource == resource:
                        self._close(scope, span)
            self._forget(claim.resource, resource)

    def end(self, scope: Scope, *, failed: bool) -> Generator[Any, Any, None]:
        """A group, call or sequence is over, with its cleanup; what a failed unit drove is made safe before it is given up."""
        unit = self._unit
        if failed:
            for span in tuple(scope.spans):
                if span.kind == "drive":
                    yield from unit.shared.safe.make_safe_now(unit, span.resource)
        for span in reversed(tuple(scope.spans)):
            self._close(scope, span)
            self._forget(unit.instrument_of(span.resource), span.resource)

    def _forget(self, instrument: str | None, resource: str) -> None:
        """What it wanted there has come to its end: it is not put back for this unit any more."""
        unit = self._unit
        if instrument is None or instrument not in unit.plan.instruments:
            return
        if not self.has(resource) and self.mode(resource) is None:
            unit.bench.release(unit.number, instrument)


def _outside(scope: Scope) -> list[Scope]:
    return list(scope.outer.around()) if scope.outer is not None else []


def without(action: Any, prop: str) -> SetAction | None:
    """What is left of a `set` without one property; None: nothing."""
    writes = tuple(write for write in action.writes if write.target.property != prop)
    if not writes:
        return None
    left: SetAction = replace(action, writes=writes, until=None, poll_s=None, settle_s=0.0)
    return left


class Leftovers:
    """Values that units wanted to leave behind while others still held another: applied when the last of them has left."""

    def __init__(self, gate: Any, clock: Any, bench: Any) -> None:
        self._gate = gate
        self._clock = clock
        self._bench = bench
        self._values: dict[str, tuple[UnitRun, Write, Any]] = {}

    def leave(self, unit: UnitRun, action: Any, hold: Hold, resource: str, value: Any) -> None:
        """Remember the value; a later one takes its place."""
        write = next(write for write in reversed(action.writes) if write.target.property == hold.property)
        self._values[resource] = (unit, write, value)
        self._gate.on_free = self.look

    def look(self) -> None:
        """Something may have become free."""
        for resource in tuple(self._values):
            unit, write, value = self._values[resource]
            if not self._gate.mode_is_free(resource, NOBODY, value):
                continue
            del self._values[resource]
            self._clock.process(self._apply(unit, resource, write, value))

    def _apply(self, unit: UnitRun, resource: str, write: Write, value: Any) -> Generator[Any, Any, None]:
        target = write.target
        try:
            yield from self._clock.call_bounded(
                resource,
                partial(self._bench.apply, unit.number, target, value),
                max(unit.reply_s(target.instrument), 1.0),
                partial(self._bench.abort, unit.number, target.instrument),
            )
            latency = self._bench.take_latency(unit.number, target.instrument)
            if latency:
                yield self._clock.timeout(latency)
        except Exception as error:  # noqa: BLE001  # nobody uses it now; it is made safe at the end
            unit.warn(f"`{target}` could not be left at {value}: {error}")
        finally:
            self._bench.release(unit.number, target.instrument)
