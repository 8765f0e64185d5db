"""The page that describes the language says only what is so: its blocks compile, its tables are those of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
import yaml

from engine.bench.bench import CHAMBER_POLL_S, POLL_S
from engine.core.recorder import MemoryRecorder
from engine.expr.functions import FUNCTIONS, OF_NAMES
from engine.plan.binding import bind_station
from engine.plan.compile import Wish, compile_plan
from engine.plan.drivers import check_driver
from engine.plan.instruments import DEFAULT_TIMEOUT_S, KNOWN_BACKENDS, SUPPORTED_BACKENDS
from engine.run.request import RunRequest
from engine.run.runner import prepare, run
from engine.sim.device import check_device, check_world
from engine.sim.physics.parameters import CONSTANTS, DEFECTS
from engine.verdict.ladder import ExitCode
from schemas.base import Model
from schemas.capabilities import CAPABILITIES
from schemas.device import Device, DeviceCommand, Fault
from schemas.diagnostics import InvalidFiles, Problems, render
from schemas.documents import Outcome
from schemas.driver import Driver, ErrorQueue, Property
from schemas.library import FOLDERS, Library
from schemas.limits import FORMS, Limit
from schemas.loading import KINDS, LATER_KINDS, Loaded, load, load_text
from schemas.sequence import Identity, Parameter, Sequence
from schemas.settings import LoggingSettings, ReportSettings, Settings
from schemas.station import Connection, Instrument, Resource, Station, World
from schemas.steps import VERBS, Common, Monitor, Retry, Statistic, StepBase
from schemas.steps.common import FailureKind
from schemas.sweep import Find, ListAxis, RangeAxis
from schemas.units import SYMBOLS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "language.md"
PAGES = (PAGE, ROOT / "docs" / "tutorial.md", ROOT / "README.md", ROOT / "CONTRIBUTING.md")
ROLES = {"chamber": "thermal_chamber", "psu": "power_supply", "load": "electronic_load", "dmm": "multimeter"}


@dataclass(frozen=True)
class Block:
    """One fenced block of YAML."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.kind}"


def blocks() -> Iterator[Block]:
    """All of them but those that have a file name: these are written and run with the tutorial."""
    for page in PAGES:
        text = page.read_text()
        for found in re.finditer(r"^```yaml(?: (\w+))?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield Block(page.name, text.count("\n", 0, found.start()) + 1, found[1] or "", found[2])


BLOCKS = tuple(blocks())


@cache
def library() -> Library:
    return Library(ROOT)


@cache
def station() -> Loaded[Station]:
    return load(ROOT / "stations" / "sim_bench.yaml", "station")


def problems_of(text: str, name: str) -> Problems:
    """What the compiler says of a sequence on the shipped bench."""
    problems = Problems()
    try:
        sequence: Loaded[Sequence] = load_text(text, name, "sequence")
        compile_plan(sequence, station(), library(), ROOT, Wish(plugins=("my_checks",)), problems)
    except InvalidFiles as invalid:
        return invalid.problems
    return problems


def indented(text: str, by: int = 2) -> str:
    return "".join(f"{' ' * by}{line}" if line.strip() else line for line in text.splitlines(keepends=True))


def head(limits: str = "") -> str:
    needs = "".join(f"  {role}: {capability}\n" for role, capability in ROLES.items())
    return f"sequence: fragment\nneeds:\n{needs}parameters:\n  vin: {{default: 5 V}}\n{limits}steps:\n"


def measuring(name: str) -> str:
    """Steps that make a value which a limit of this name can judge."""
    match name:
        case "output_state":
            return "  - measure: output_state\n    from: psu.output\n"
        case "identity":
            return '  - query: {psu: "*IDN?"}\n    store: identity\n'
        case "curve":
            return (
                "  - sweep: {vsweep: [4 V, 12 V]}\n    each:\n"
                "      - measure: vcurve\n        from: dmm.voltage_dc\n        limit: none\n"
                "  - compute: curve\n    value: vcurve\n"
            )
        case _:
            return f"  - measure: {name}\n    from: dmm.voltage_dc\n"


def shown(problems: Problems) -> str:
    return "\n" + render(problems)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_yaml_block_of_the_pages_is_valid(block: Block) -> None:
    name = f"{block.page}.yaml"
    problems = Problems()
    match block.kind:
        case "sequence":
            problems = problems_of(block.text, name)
            assert not problems.warnings, shown(problems)
        case "steps":
            problems = problems_of(head() + indented(block.text), name)
        case "limits":
            steps = "".join(measuring(limit) for limit in yaml.safe_load(block.text))
            problems = problems_of(head(f"limits:\n{indented(block.text)}") + steps, name)
        case "refused":
            problems = problems_of(head() + indented(block.text), name)
            assert len(problems.errors) == 1
            assert "not supported yet" in problems.errors[0].message, shown(problems)
            return
        case "station":
            loaded = load_text(block.text, name, "station")
            bind_station(loaded, library(), problems)
            if loaded.model.world is not None:
                check_world(loaded.model.world, loaded.source_map, problems)
        case "driver":
            check_driver(load_text(block.text, name, "driver"), problems)
        case "device":
            loaded_device: Loaded[Device] = load_text(block.text, name, "device")
            check_device(loaded_device.model, loaded_device.source_map, problems)
        case "settings":
            Settings.model_validate(yaml.safe_load(block.text))
        case _:
            pytest.fail(f"{block} says nothing about what it is: write ```yaml steps, sequence, limits, station, …")
    assert not problems.errors, shown(problems)


def verbs_in(steps: object) -> set[str]:
    """Every verb that steps, or steps inside them, use."""
    if isinstance(steps, list):
        return set().union(*map(verbs_in, steps))
    if not isinstance(steps, dict):
        return set()
    return (steps.keys() & VERBS.keys()).union(*map(verbs_in, steps.values()))


REFUSED = {next(iter(yaml.safe_load(block.text)[0])) for block in BLOCKS if block.kind == "refused"} - {"set"}


def test_every_verb_is_shown_at_work_or_being_refused() -> None:
    at_work = set().union(*(verbs_in(yaml.safe_load(block.text)) for block in BLOCKS if block.kind == "steps"))
    assert at_work | REFUSED == set(VERBS)
    assert at_work & REFUSED == set()


# ---------------------------------------------------------------- tables


def rows(heading: str) -> list[list[str]]:
    """The cells of all tables below a heading, up to the next heading of the same or a higher level."""
    text = PAGE.read_text()
    level, title = heading.split(" ", 1)
    found = re.search(rf"^{level} {re.escape(title)}$(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"there is no heading {heading}"
    lines = [line for line in found[1].splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def words(*cells: str) -> set[str]:
    """What stands in backticks, and for `a: b` or `{a: b}` the keys in it."""
    found: set[str] = set()
    for cell in cells:
        for code in re.findall(r"`([^`]+)`", cell):
            found.add(code)
            found |= set(re.findall(r"([a-z_]+):", code))
    return found


def keys_of(model: type[Model], without: type[Model] | None = None) -> set[str]:
    """The keys a user writes."""
    left_out = without.model_fields.keys() if without is not None else set()
    return {field.alias or name for name, field in model.model_fields.items() if name not in left_out}


def everything_in(heading: str) -> set[str]:
    return words(*(cell for row in rows(heading) for cell in row))


def test_the_capability_table_is_the_one_of_the_code() -> None:
    table = {}
    for name, properties in rows("### Capabilities")[1:]:
        table[name.strip("`")] = dict(re.findall(r"(\w+) \(([^)]+)\)", properties))
    assert table == CAPABILITIES
    assert [name.strip("`") for name, _ in rows("### Capabilities")[1:]] == list(CAPABILITIES)


def test_the_function_table_names_every_function_and_no_other() -> None:
    named = {found for row in rows("### Functions")[1:] for found in re.findall(r"`(\w+)\(", row[0])}
    assert named == {*FUNCTIONS, *OF_NAMES}


def test_the_verb_table_has_every_verb_with_all_its_keys() -> None:
    table = {row[0].strip("`"): words(row[1], row[2]) for row in rows("## Verbs")[1:]}
    assert set(table) == set(VERBS)
    for verb, model in VERBS.items():
        assert keys_of(model, StepBase) - {verb} - table[verb] == set(), verb


def test_verbs_that_are_not_there_yet_are_marked_and_no_others() -> None:
    marked = {row[0].strip("`") for row in rows("## Verbs") if row[1] == "not supported yet"}
    assert marked == REFUSED


def test_the_statistics_of_a_measurement_are_all_named() -> None:
    text = next(row[2] for row in rows("## Verbs") if row[0] == "`measure`")
    assert all(statistic in text for statistic in get_args(Statistic))


COMPLETE: list[tuple[str, type[Model], type[Model] | None, set[str]]] = [
    ("## Common keys", StepBase, None, set()),
    ("## Common keys", Common, None, set()),
    ("## Common keys", Retry, None, set()),
    ("## Sequence", Sequence, None, set()),
    ("## Sequence", Parameter, None, set()),
    ("## Sequence", Identity, None, set()),
    ("## Sweeps", RangeAxis, None, set()),
    ("## Sweeps", ListAxis, None, set()),
    ("## Sweeps", Find, None, {"unit"}),
    ("## Limits", Limit, None, set()),
    ("## Monitors", Monitor, None, set()),
    ("## Station", Station, None, set()),
    ("## Station", Instrument, None, set()),
    ("## Station", Connection, None, set()),
    ("## Station", World, None, set()),
    ("## Station", Resource, None, set()),
    ("## Driver", Driver, None, set()),
    ("## Driver", Property, None, set()),
    ("## Driver", ErrorQueue, None, set()),
    ("## Device", Device, None, set()),
    ("## Device", DeviceCommand, None, set()),
    ("## Device", Fault, None, set()),
    ("## Settings", Settings, None, set()),
    ("## Settings", LoggingSettings, None, set()),
    ("## Settings", ReportSettings, None, set()),
]


@pytest.mark.parametrize(
    ("heading", "model", "without", "said"), COMPLETE, ids=lambda part: getattr(part, "__name__", None)
)
def test_a_table_names_every_key_of_its_model(
    heading: str, model: type[Model], without: type[Model] | None, said: set[str]
) -> None:
    assert keys_of(model, without) - everything_in(heading) - said == set()


def test_every_form_of_a_limit_is_in_its_table() -> None:
    assert set(FORMS) <= everything_in("## Limits")


def test_kinds_of_files_and_their_folders_are_those_of_the_library() -> None:
    table = {row[0]: row[-1].strip("`/") for row in rows("## Files")[1:]}
    assert {f"`{kind}:`": folder for kind, folder in FOLDERS.items()}.items() <= table.items()
    assert set(KINDS) == set(FOLDERS)
    assert words(*table) >= {f"{kind}:" for kind in LATER_KINDS}


def test_every_unit_named_is_known_and_every_unit_known_is_named() -> None:
    named: set[str] = set()
    for row in rows("## Quantities and units")[1:]:
        named |= set(re.sub(r"\(.*?\)|,", " ", row[1]).split())
    assert named - set(SYMBOLS) == set()
    spelt = {unit for unit in SYMBOLS.values() if not any(name and SYMBOLS[name] == unit for name in named)}
    without_prefix = {unit.symbol for unit in spelt if unit.symbol and unit.symbol[1:] not in SYMBOLS}
    assert without_prefix == set()


def test_the_world_table_names_every_parameter_and_the_defects() -> None:
    assert set(CONSTANTS) <= everything_in("## Station")
    text = PAGE.read_text()
    assert all(f"`BAD-{defect}`" in text for defect in DEFECTS)


def test_backends_are_said_to_be_there_only_if_they_are() -> None:
    text = next(row[1] for row in rows("## Station") if row[0] == "`backend`")
    there, _, later = text.partition(".")
    assert words(there) == set(SUPPORTED_BACKENDS)
    assert words(later) == set(KNOWN_BACKENDS) - set(SUPPORTED_BACKENDS)


def test_exit_codes_are_those_of_the_command() -> None:
    codes = [int(row[0]) for row in rows("## Verdicts, outcomes, exit codes")[1:]]
    assert codes == [int(code) for code in ExitCode]


def test_the_default_times_are_those_of_the_code() -> None:
    table = {row[0]: row[1] for row in rows("## Defaults of times")}
    assert table["`timeout` of an instrument's reply"] == f"{DEFAULT_TIMEOUT_S:g} s"
    assert f"{CHAMBER_POLL_S:g} s for a thermal chamber, else {POLL_S:g} s" in table["`poll` of `until` and `wait`"]
    assert set(get_args(FailureKind)) <= everything_in("## Common keys")


def test_a_step_without_a_timeout_ends_after_the_time_the_page_says() -> None:
    steps = "  - set: {chamber.setpoint: 85 degC}\n    until: chamber.stable\n    settle: 5 s\n"
    sequence: Loaded[Sequence] = load_text(head() + steps, "slow.yaml", "sequence")
    summary = run(prepare(RunRequest(sequence, station()), library(), ROOT), recorder=MemoryRecorder())
    said = next(row[1] for row in rows("## Defaults of times") if row[0].endswith("one thing"))
    assert said.startswith("60 s")
    assert summary.outcome is Outcome.ERROR
    assert 65 <= summary.duration_s < 66


# ---------------------------------------------------------------- links


def slug(heading: str) -> str:
    """The anchor of a heading as the usual renderers make it."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.strip().replace(" ", "-")


MARKDOWN = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists():
            missing.append(target)
        elif anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            if anchor not in {slug(heading) for heading in headings}:
                missing.append(target)
    assert missing == []
