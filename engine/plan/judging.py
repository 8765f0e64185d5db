"""Which limit judges which value: by name, by reference or in place; and that every limit written judges something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.expr import Kind, Type
from engine.plan.limits import CompiledLimit, LimitCompiler
from engine.plan.names import Scope
from engine.plan.values import Values
from schemas.diagnostics import did_you_mean, nearest
from schemas.limits import Limit, LimitOrCases
from schemas.quantity import Unit
from schemas.sequence import Sequence as SequenceModel
from schemas.source import Path, Span


@dataclass(slots=True)
class Judging:
    """The limits of one sequence while its steps are compiled."""

    model: SequenceModel
    values: Values
    limit_set: str | None
    used: set[str] = field(default_factory=set)
    """Names of limits that judge something."""
    judged: dict[str, Span] = field(default_factory=dict)
    """Values that something could judge by name, and where they are made."""
    unjudged: dict[str, Span] = field(default_factory=dict)
    """Those of them that nothing judges."""

    def limit(
        self,
        given: str | Limit | Sequence[Limit] | None,
        name: str | None,
        path: Path,
        scope: Scope,
        type_: Type,
        *,
        made: Path | None = None,
    ) -> CompiledLimit | None:
        """What judges a value: what the step at `path` says, else the limit of its name, else nothing.

        `made` is where the name stands, for values that should be judged.
        """
        if given == "none":
            return None
        compiler = LimitCompiler(self.values, scope, type_, path, self._series_slot(scope))
        if given is not None and not isinstance(given, str):
            return compiler.compile(name or "limit", given, (*path, "limit"))
        wanted = given or name
        if wanted is None:
            return None
        if made is not None and given is None:
            self.judged[wanted] = self.values.file.at(made)
        found = self._named(wanted)
        if not found:
            if given is not None:
                self._unknown(given, (*path, "limit"))
            elif made is not None:
                self.unjudged.setdefault(wanted, self.values.file.at(made))
            return None
        self.used.add(wanted)
        chosen, place = found[0]
        compiled = compiler.compile(wanted, chosen, place)
        for other, elsewhere in found[1:]:  # not used in this run, yet what is wrong with it is told
            compiler.compile(wanted, other, elsewhere)
        return compiled

    def spoilt(self, given: str | Limit | Sequence[Limit] | None, name: str | None) -> None:
        """A value that could not be compiled: its limit is not told to be unused as well."""
        self.used.add(given if isinstance(given, str) else name or "")

    def _named(self, name: str) -> list[tuple[LimitOrCases, Path]]:
        """Every limit of this name with its place, the one in force first."""
        found: list[tuple[LimitOrCases, Path]] = []
        if name in self.model.limits:
            found.append((self.model.limits[name], ("limits", name)))
        for chosen, limits in self.model.limit_sets.items():
            if name in limits:
                at = 0 if chosen == self.limit_set else len(found)
                found.insert(at, (limits[name], ("limit_sets", chosen, name)))
        in_force = name in self.model.limits or name in self.model.limit_sets.get(self.limit_set or "", {})
        if found and not in_force:
            self.used.add(name)
            return []
        return found

    def _unknown(self, given: str, path: Path) -> None:
        known = [*self.model.limits, "none"]
        self.values.problems.error(
            "N006",
            f"there is no limit `{given}`",
            self.values.file.at(path),
            label=did_you_mean(given, known),
            help=f"limits: {', '.join(known)}",
        )
        near = nearest(given, known)
        if near is not None:
            self.used.add(near)

    def _series_slot(self, scope: Scope) -> Callable[[str, Path], tuple[str, Unit | None] | None]:
        def slot(name: str, path: Path) -> tuple[str, Unit | None] | None:
            symbol = scope.lookup(name)
            if symbol is None or symbol.type.kind is not Kind.SERIES:
                symbol = scope.series(name)
            if symbol is None or symbol.type.kind is not Kind.SERIES:
                self.values.problems.error(
                    "P023",
                    f"a mask runs along a series, and `{name}` is none here",
                    self.values.file.at(path),
                    help="name an axis of a loop that has ended, or a value measured in it",
                )
                return None
            return symbol.slot, symbol.type.unit

        return slot

    def finish(self) -> None:
        """Tells limits that judge nothing, and warns of values that nothing judges."""
        written: list[Path] = [("limits", name) for name in self.model.limits]
        written += [("limit_sets", chosen, name) for chosen, limits in self.model.limit_sets.items() for name in limits]
        meant: set[str | None] = set()
        for place in written:
            name = str(place[-1])
            if name in self.used:
                continue
            candidates = [one for one in self.judged if one not in self.used]
            near = nearest(name, candidates)
            meant.add(near)
            self.values.problems.error(
                "P022",
                f"nothing is judged by limit `{name}`",
                self.values.file.key(place),
                label=f"did you mean `{near}`?" if near else "",
                help="a limit judges the measured or computed value of its name, or where a step says `limit: …`",
            )
        for name, span in self.unjudged.items():
            if name not in meant:
                self.values.problems.warning(
                    "P021",
                    f"nothing judges `{name}`",
                    span,
                    help=f"add `{name}` to `limits`, or write `limit: none` if that is meant",
                )
