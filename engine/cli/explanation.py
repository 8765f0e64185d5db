"""Every effective value of a sequence on a station, and what set it: layer, file and line, or variable.

The plan says what is in force; the files it was made from say where that was written. A value that no file names is built
in, and is listed as such: what nobody wrote is what nobody looks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.cli.places import Place, Places
from engine.cli.plan import points_of, walk
from engine.core.bench import InstrumentSpec, PropertySpec
from engine.core.errors import UsageError
from engine.plan.model import (
    Amount,
    CallAction,
    ComputeAction,
    Formula,
    MeasureAction,
    Node,
    Plan,
    PythonAction,
    QueryAction,
    SetAction,
    Write,
)
from engine.plan.walk import lists_of
from engine.run.project import Project
from engine.run.settings import ProjectSettings
from schemas.diagnostics import did_you_mean
from schemas.loading import Loaded, load
from schemas.quantity import Unit, format_quantity
from schemas.source import Path

LAYERS = ("built-in", "driver", "station", "sequence", "settings", "environment", "--param")

_ONLY_LEAVES = frozenset(("timeout", "retry", "duration", "uses"))
"""Keys that `defaults:` gives to steps that act, and not to those that hold others."""


@dataclass(frozen=True, slots=True)
class Effective:
    """One value in force."""

    name: str
    value: str
    layer: str
    """One of LAYERS."""
    source: str
    """`file:line:column`, a variable or an option; empty for what is built in."""


@dataclass(slots=True)
class Section:
    """The values of one thing: a node, an instrument, the parameters."""

    kind: str
    """parameters, settings, node or instrument."""
    title: str
    about: str = ""
    values: list[Effective] = field(default_factory=list)

    def add(self, name: str, value: str, layer: str, source: object = "") -> None:
        self.values.append(Effective(name, value, layer, str(source)))


def explain(
    plan: Plan,
    sequence: Loaded[Any],
    station: Loaded[Any],
    project: Project,
    node: str | None = None,
) -> list[Section]:
    """Everything in force; for one node only what concerns it. Raises UsageError for an unknown node."""
    places = Places([sequence, *_called(plan, project)])
    chosen = _chosen(plan, node)
    sections = [_parameters(plan)]
    if node is None:
        sections.append(_settings(project.settings))
    sections += [_node(one, places, plan) for one in chosen]
    used = {claim.resource for one in chosen for claim in one.claims}
    for name, spec in plan.instruments.items():
        if node is None or name in used:
            sections.append(_instrument(name, spec, station, project))
    return [section for section in sections if section.values or section.kind == "node"]


def _chosen(plan: Plan, wanted: str | None) -> list[Node]:
    nodes = [node for node, _, _ in walk(plan.root)]
    if wanted is None:
        return nodes
    plain = wanted.partition("[")[0].rstrip("/")
    found = [node for node in nodes if node.id == plain] or [
        node for node in nodes if node.id.endswith("/" + plain)
    ]  # fmt: skip
    if not found:
        found = [node for node in nodes if node.id.startswith(plain + "/")]
    if not found:
        ids = [node.id for node in nodes]
        near = did_you_mean(plain, ids) or did_you_mean(plain, [id.rpartition("/")[2] for id in ids])
        raise UsageError(f"the plan has no node `{wanted}`", near or f"`benchwright plan {plan.sequence}` lists them")
    everything: dict[int, Node] = {}
    for node in found:
        for one in (node, *_inside(node)):
            everything[id(one)] = one
    return list(everything.values())


def _inside(node: Node) -> Iterator[Node]:
    for steps in lists_of(node, remedies=True):
        for inner in steps.nodes:
            yield inner
            yield from _inside(inner)


def _called(plan: Plan, project: Project) -> list[Loaded[Any]]:
    """The files of the sequences that the plan calls."""
    ids = dict.fromkeys(node.action.sequence for node, _, _ in walk(plan.root) if isinstance(node.action, CallAction))
    found = (project.library.find("sequence", id) for id in ids)
    return [load(one.path, "sequence") for one in found if one is not None]


def _parameters(plan: Plan) -> Section:
    section = Section("parameters", "parameters")
    for one in plan.parameters:
        layer = "--param" if one.source.startswith("--param") else "sequence"
        section.add(one.name, "secret" if one.secret else _shown(one.value, one.unit), layer, one.source)
    return section


def _settings(settings: ProjectSettings) -> Section:
    section = Section("settings", "settings")
    for key, value, origin in settings.items():
        text = ", ".join(map(str, value)) or "none" if isinstance(value, list) else "none" if value is None else value
        section.add(key, _shown(text, None), origin.layer, origin.place)
    return section


def _node(node: Node, places: Places, plan: Plan) -> Section:
    section = Section("node", node.id, " ".join(part for part in (node.verb, points_of(node)) if part))
    place = places.of(node)

    def add(key: str, value: str, built_in: bool = False) -> None:
        source = _source_of(place, key, node) if not built_in else None
        section.add(key, value, "sequence" if source is not None else "built-in", source or "")

    if isinstance(node.action, SetAction):
        _writes(section, node, node.action, place)
    _limit(section, node, place, plan)
    if node.when is not None:
        add("when", node.when.text)
    if node.skip is not None:
        add("skip", node.skip)
    add("timeout", _timeout(node))
    if node.retry is not None:
        kinds = ", ".join(sorted(node.retry.kinds))
        add("retry", f"{node.retry.times} more after {_seconds(node.retry.delay_s)}, for {kinds}")
    else:
        add("retry", "none")
    add("on_fail", node.on_fail)
    add("on_error", node.on_error)
    if node.once:
        add("once", "true")
    add("on_resume", node.on_resume)
    if node.duration_s is not None:
        add("duration", _seconds(node.duration_s))
    return section


def _source_of(place: Place | None, key: str, node: Node) -> str | None:
    """Where a common key of a step was written; None where nobody did."""
    if place is None:
        return None
    source_map = place.file.source_map
    if source_map.has((*place.path, key)):
        return str(place.file.key((*place.path, key)))
    if key in _ONLY_LEAVES and lists_of(node, remedies=True):
        return None
    for defaults in place.defaults:
        if source_map.has((*defaults, key)):
            return str(place.file.key((*defaults, key)))
    return None


def _timeout(node: Node) -> str:
    if node.timeout_s is not None:
        return _seconds(node.timeout_s)
    if lists_of(node, remedies=True):
        return "none"
    from engine.dispatch.node import LEAF_S

    return f"{_seconds(LEAF_S)} and what it plans to take"


def _writes(section: Section, node: Node, action: SetAction, place: Place | None) -> None:
    source_map = place.file.source_map if place is not None else None
    for write in action.writes:
        text = write.value.text if isinstance(write.value, Formula) else _shown(write.value, None)
        source = ""
        if place is not None and source_map is not None:
            written = source_map.get((*place.path, "set")) or {}
            key = _key_of(write, written)
            if key is not None:
                source = str(place.file.at((*place.path, "set", key)))
                text = str(written[key])
        section.add(str(write.target), text, "sequence", source)
    own = (
        ("until", action.until.text if action.until is not None else ""),
        (
            "poll",
            _seconds(action.poll_s) if action.poll_s is not None else "that of the property" if action.until else "",
        ),
        ("settle", _seconds(action.settle_s) if action.until is not None or action.settle_s else ""),
        ("force", "true" if action.force else ""),
    )
    for key, text in own:
        if text:
            source = ""
            if place is not None and place.file.source_map.has((*place.path, key)):
                source = str(place.file.key((*place.path, key)))
            section.add(key, text, "sequence" if source else "built-in", source)


def _key_of(write: Write, written: Mapping[str, Any]) -> str | None:
    """The written `role.property` of a write; a role has the name of its instrument, or of a channel of it."""
    fitting = [key for key in written if key.partition(".")[2] == write.target.property]
    own = [key for key in fitting if key.partition(".")[0] == write.target.instrument]
    return next(iter(own or fitting), None)


def _limit(section: Section, node: Node, place: Place | None, plan: Plan) -> None:
    """The limit of a node that gives a value, and where it stands."""
    action = node.action
    if not isinstance(action, MeasureAction | ComputeAction | QueryAction | PythonAction):
        return
    if isinstance(action, QueryAction | PythonAction) and action.limit is None:
        return
    unit = action.unit
    source, layer = "", "built-in"
    if place is not None:
        source_map, given = place.file.source_map, place.file.source_map.get((*place.path, "limit"))
        name = given if isinstance(given, str) else (action.binding.name if action.binding is not None else "")
        paths: list[Path] = [(*place.path, "limit")] if given is not None else []
        if given is None or (isinstance(given, str) and given != "none"):
            named: list[Path] = [("limits", name)]
            if plan.limit_set is not None:
                named.insert(0, ("limit_sets", plan.limit_set, name))
            paths = named + paths
        found = next((path for path in paths if source_map.has(path)), None)
        if found is not None:
            source, layer = str(place.file.at(found)), "sequence"
    if action.limit is None:
        section.add("limit", "none: not judged", layer, source)
        return
    symbol = unit.symbol if unit is not None else ""
    fixed = action.limit.fixed
    text = fixed.describe(symbol) if fixed is not None else "depends on values of the run"
    section.add(f"limit {action.limit.name}", text, layer, source)


def _instrument(name: str, spec: InstrumentSpec, station: Loaded[Any], project: Project) -> Section:
    section = Section("instrument", name, spec.title)
    found = project.library.find("driver", spec.driver)
    origin = f" ({found.origin}: {spec.driver_path})" if found is not None else f" ({spec.driver_path})"
    path: Path = ("instruments", name)
    section.add("driver", spec.driver + origin, "station", station.at((*path, "driver")))
    for key, value in (("backend", spec.backend), ("timeout", _seconds(spec.timeout_s))):
        place = next(
            (one for one in ((*path, key), ("defaults", key)) if station.source_map.has(one)),
            None,
        )
        section.add(key, value, "station" if place else "built-in", station.at(place) if place else "")
    if spec.address:
        section.add("address", spec.address, "station", station.at((*path, "address")))
    driver = load(found.path, "driver") if found is not None else None
    if spec.backend == "sim" and spec.device is not None:
        own = station.source_map.has((*path, "device"))
        in_driver = driver is not None and driver.source_map.has(("device",))
        source = station.at((*path, "device")) if own else driver.at(("device",)) if driver and in_driver else ""
        section.add("device", spec.device, "station" if own else "driver" if in_driver else "built-in", source)
    for safe in spec.safe:
        unit = spec.properties[safe.property].unit
        place = (*path, "safe", safe.property)
        channel = f"[{safe.channel}]" if safe.channel else ""
        section.add(f"safe {safe.property}{channel}", _shown(safe.value, unit), "station", station.at(place))
    for prop in spec.properties.values():
        _property(section, prop, station, path, driver)
    return section


def _property(
    section: Section, prop: PropertySpec, station: Loaded[Any], path: Path, driver: Loaded[Any] | None
) -> None:
    if prop.guard_low is not None or prop.guard_high is not None:
        place = station.at((*path, "guard", prop.name))
        section.add(f"guard {prop.name}", _range(prop.guard_low, prop.guard_high, prop.unit), "station", place)
    if driver is None:
        return
    own: Path = ("properties", prop.name)
    if prop.low is not None or prop.high is not None:
        section.add(
            f"range {prop.name}", _range(prop.low, prop.high, prop.unit), "driver", driver.at((*own, "range"))
        )  # fmt: skip
    if prop.default is not None:
        section.add(f"default {prop.name}", _shown(prop.default, prop.unit), "driver", driver.at((*own, "default")))
    if prop.set is not None:
        written = driver.source_map.has((*own, "sharing"))
        place_of = driver.at((*own, "sharing")) if written else ""
        section.add(f"sharing {prop.name}", prop.sharing, "driver" if written else "built-in", place_of)
    if prop.poll_s is not None:
        section.add(f"poll {prop.name}", _seconds(prop.poll_s), "driver", driver.at((*own, "poll")))


def _range(low: float | None, high: float | None, unit: Unit | None) -> str:
    ends = [_shown(end, unit) if end is not None else "" for end in (low, high)]
    if all(ends):
        return f"{ends[0]} … {ends[1]}"
    return f"≥ {ends[0]}" if ends[0] else f"≤ {ends[1]}"


def _seconds(amount: Amount | None) -> str:
    if isinstance(amount, Formula):
        return amount.text
    from engine.present.values import duration_text

    return duration_text(amount)


def _shown(value: Any, unit: Unit | None) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case int() | float():
            return format_quantity(float(value), unit or "")
    return str(value)
