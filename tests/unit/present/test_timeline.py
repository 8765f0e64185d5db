"""Who had what when and who waited for whom: the seconds are exact, the pictures small, and nothing is told by colour alone."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.present.gantt import SEVERAL, Bar, Gantt, Kind, Row, RowKind, planned_chart, thinned, time_ticks, union_s
from engine.present.gantt import svg as standalone
from engine.present.gantt_svg import gantt_svg
from engine.present.gantt_text import WIDTH, gantt_text, shortened
from engine.present.timeline import Timeline, timeline
from schemas.documents import Held, Waited

SVG = "{http://www.w3.org/2000/svg}"


@dataclass
class Stay:
    unit: int
    serial: str
    site: str
    started_s: float = 0.0
    finished_s: float | None = 120.0


UNITS = [Stay(0, "LDO1", "A"), Stay(1, "LDO2", "B", finished_s=110.0), Stay(2, "LDO3", "A", 60.0)]


def claim(unit: int, resource: str, t0: float, t1: float, node: str = "steps/vout") -> Held:
    return Held(unit, resource, "claim", node, t0, t1)


def rack() -> Timeline:
    """A chamber at two temperatures, a meter that takes turns, a third unit that queued for a site."""
    cold, warm = "steps/set#1[temperature=-40]", "steps/set#1[temperature=85]"
    held = [
        *(claim(unit, "chamber", 0.0, 30.0, cold) for unit in (0, 1)),
        claim(0, "dmm", 30.0, 34.0),
        claim(1, "dmm", 34.0, 38.0),
        *(Held(unit, "chamber", "mode", cold, 0.0, 40.0, -40.0) for unit in (0, 1)),
        *(claim(unit, "chamber", 40.0, 90.0, warm) for unit in (0, 1)),
        claim(1, "dmm", 90.0, 94.0),
        claim(0, "dmm", 94.0, 98.0),
        claim(2, "dmm", 98.0, 118.0),
        *(Held(unit, "chamber", "mode", warm, 40.0, 120.0, 85.0) for unit in (0, 1)),
    ]
    waited = [
        Waited(1, "steps/vout", "dmm", (0,), 30.0, 34.0),
        Waited(0, "steps/vout", "dmm", (1,), 90.0, 94.0),
        Waited(2, "steps/vout", "dmm", (1, 0), 90.0, 98.0),
    ]
    return timeline(held, waited, UNITS, 120.0, {"temperature": "degC"})


def row(found: Timeline, name: str) -> Row:
    return next(one for one in found.gantt.rows if one.name == name)


class TestModel:
    def test_a_shared_value_is_one_bar_with_its_unit_however_many_hold_it(self) -> None:
        bars = row(rack(), "chamber").bars
        modes = [(bar.label, bar.start_s, bar.end_s, bar.count) for bar in bars if bar.kind is Kind.MODE]
        assert modes == [("-40 °C", 0.0, 40.0, 2), ("85 °C", 40.0, 120.0, 2)]

    def test_the_way_to_a_value_is_told_from_being_there(self) -> None:
        moving = [
            (bar.label, bar.start_s, bar.end_s) for bar in row(rack(), "chamber").bars if bar.kind is Kind.TRANSITION
        ]
        assert moving == [("-40 °C", 0.0, 30.0), ("85 °C", 40.0, 90.0)]

    def test_a_value_that_no_sweep_asked_for_is_shown_as_it_is(self) -> None:
        found = timeline([Held(0, "chamber", "mode", "setup/set#1", 0.0, 1.0, 25.0)], [], UNITS, 1.0, {"t": "degC"})
        assert [bar.label for bar in row(found, "chamber").bars] == ["25"]

    def test_use_is_counted_once_though_several_have_it(self) -> None:
        usage = {one.resource: one for one in rack().usage}
        assert usage["chamber"].busy_s == 80.0
        assert usage["dmm"].busy_s == 36.0
        assert usage["dmm"].share == pytest.approx(0.3)
        assert (usage["dmm"].uses, usage["dmm"].units, usage["dmm"].waited_s) == (5, 3, 16.0)
        assert [one.resource for one in rack().usage] == ["chamber", "dmm"]

    def test_the_longest_wait_comes_first_and_says_for_whom(self) -> None:
        first, *others = rack().waits
        assert (first.unit, first.resource, first.total_s, first.longest_at_s) == (2, "dmm", 8.0, 90.0)
        assert first.others == ((0, 8.0), (1, 8.0))
        assert [one.total_s for one in others] == [4.0, 4.0]

    def test_waiting_twice_at_a_time_is_waiting_once(self) -> None:
        waits = [Waited(0, "a", "dmm", (1,), 0.0, 3.0), Waited(0, "b", "psu", (1,), 2.0, 4.0)]
        assert timeline([], waits, UNITS, 10.0).waited_s == {0: 4.0}

    def test_a_unit_is_at_its_site_from_its_start_to_its_end(self) -> None:
        [stay] = [bar for bar in row(rack(), "LDO3").bars if bar.kind is Kind.STAY]
        assert (stay.start_s, stay.end_s) == (60.0, 120.0)
        assert row(rack(), "LDO3").note == "site A"

    def test_where_nothing_was_shared_there_is_nothing_to_see(self) -> None:
        found = timeline([], [], UNITS, 10.0)
        assert not found
        assert gantt_text(found.gantt) == []
        assert gantt_svg(found.gantt) == ""

    def test_a_run_that_broke_off_is_seen_up_to_its_last_document(self) -> None:
        found = timeline([claim(0, "dmm", 1.0, 5.0)], [], [Stay(0, "X", "A", 0.0, None)])
        assert found.gantt.end_s == 5.0

    @settings(max_examples=60, deadline=None)
    @given(seed=st.integers(0, 10**6), count=st.integers(1, 400))
    def test_thinning_loses_no_time_and_bounds_the_bars(self, seed: int, count: int) -> None:
        chance = random.Random(seed)
        stretches, t = [], 0.0
        for _ in range(count):
            t += chance.choice([0.0, 0.001, 0.5, 3.0])
            wide = chance.choice([0.001, 0.01, 2.0])
            stretches.append((t, t + wide, chance.randrange(3), Kind.CLAIM, "n", ""))
            t += wide
        least_s = t / 100
        bars = thinned(stretches, least_s)
        assert sum(bar.count for bar in bars) == count
        assert sum(bar.seconds * bar.share for bar in bars) == pytest.approx(sum(s[1] - s[0] for s in stretches))
        assert len(bars) <= 310
        assert all(bar.end_s <= t + 1e-9 for bar in bars)

    def test_a_wide_bar_never_loses_its_unit_to_narrow_ones(self) -> None:
        stretches = [
            (0.0, 50.0, 0, Kind.CLAIM, "", ""),
            *((50.0 + n, 50.1 + n, 1 + n % 2, Kind.CLAIM, "", "") for n in range(5)),
        ]
        wide, crowd = thinned(stretches, 2.0)
        assert (wide.unit, wide.share) == (0, 1.0)
        assert (crowd.unit, crowd.count) == (SEVERAL, 5)
        assert crowd.share == pytest.approx(0.5 / 4.1)

    @given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)).map(lambda p: (min(p), max(p)))))
    def test_a_union_is_no_longer_than_its_parts_nor_than_its_hull(self, parts: list[tuple[float, float]]) -> None:
        total = union_s(parts)
        assert total <= sum(b - a for a, b in parts) + 1e-6
        assert total >= max((b - a for a, b in parts), default=0.0) - 1e-6


GOLDEN = """\
         0 s                 30 s                1 min               1 min 30 s         2 min
         ╷                   ╷                   ╷                   ╷                  ╷
chamber  -40 °C╱╱╱╱╱╱╱╱╱╱╱╱╱╱═══════│85 °C╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱════════════════════
dmm                          █████▃                                  ██████████████████▆
LDO1     ╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱██▆···╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱░░░██▃··············
LDO2     ╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱░░░██▃╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱╱██▆···········
LDO3                                             ····················░░░░░▆████████████▆·
         ╱ on its way to the value, ═ there, ▁▄█ in use, by how much, ░ waiting for others
"""


class TestText:
    def test_the_timeline_in_letters(self) -> None:
        lines = gantt_text(rack().gantt, 80)
        assert lines == GOLDEN.splitlines()

    def test_a_plain_terminal_gets_plain_letters_of_the_same_width(self) -> None:
        blocks, plain = gantt_text(rack().gantt, 80), gantt_text(rack().gantt, 80, ascii_only=True)
        assert all(line.isascii() for line in plain)
        assert "-40 degC" in plain[2]
        assert [len(line) for line in plain[2:-1]] == [len(line) for line in blocks[2:-1]]

    @pytest.mark.parametrize("end_s", [1e-3, 0.7, 59.0, 61.0, 3600.0, 40 * 3600.0, 30 * 86400.0])
    def test_no_line_is_wider_than_it_may_be(self, end_s: float) -> None:
        held = [claim(n % 3, "dmm", end_s * n / 50, end_s * (n + 0.5) / 50) for n in range(50)]
        lines = gantt_text(timeline(held, [], UNITS, end_s).gantt)
        room = len("LDO1  ")
        assert all(len(line) <= room + WIDTH for line in lines[1:-1])
        assert len(time_ticks(end_s, 5)) <= 9

    def test_many_units_are_cut_and_that_is_said(self) -> None:
        units = [Stay(n, f"SN{n}", "A") for n in range(100)]
        lines = gantt_text(timeline([claim(0, "dmm", 0.0, 1.0)], [], units, 120.0).gantt)
        assert len(lines) < 40
        assert "and 76 more rows, in the report" in lines

    def test_a_long_serial_keeps_both_ends(self) -> None:
        assert shortened("BOARD-2027-11-000000042", 16) == "BOARD…-000000042"
        assert shortened("LDO1", 16) == "LDO1"

    def test_a_serial_cannot_steer_the_terminal(self) -> None:
        found = timeline([claim(0, "d\x1b[2J", 0.0, 1.0)], [], [Stay(0, "\x1b]0;x", "A")], 2.0)
        assert "\x1b" not in "".join(gantt_text(found.gantt))


class TestPicture:
    def test_it_is_well_formed_and_says_in_words_what_it_shows(self) -> None:
        root = ElementTree.fromstring(gantt_svg(rack().gantt))
        assert root.get("role") == "img"
        description = root.findtext(f"{SVG}desc") or ""
        assert "chamber: -40 °C, 85 °C" in description
        told = [title.text or "" for title in root.iter(f"{SVG}title")]
        assert "LDO3 waits for dmm, 1 min 30 s to 1 min 38 s, steps/vout" in told
        assert "chamber at 85 °C for 2 units, 40 s to 2 min" in told

    def test_waiting_is_hatched_and_not_merely_of_another_colour(self) -> None:
        text = gantt_svg(rack().gantt, identifier="t")
        assert '<pattern id="t-wait"' in text
        assert text.count("url(#t-wait)") >= 3

    def test_units_beyond_the_eighth_have_a_pattern_of_their_own(self) -> None:
        units = [Stay(n, f"SN{n}", "A") for n in range(20)]
        held = [claim(n, "dmm", 6.0 * n, 6.0 * n + 5) for n in range(20)]
        text = gantt_svg(timeline(held, [], units, 120.0).gantt, identifier="t")
        looks = re.findall(r"<path d=\"[^\"]+\" (fill=\"[^\"]+\")><title>SN\d+ uses dmm,", text)
        assert len(looks) == 40, "each in the row of the meter and in its own"
        assert len(set(looks)) == 20

    def test_every_text_is_escaped(self) -> None:
        evil = "</text><script>alert('x')</script>\"&"
        held = [claim(0, evil, 0.0, 50.0, evil), Held(0, evil + "m", "mode", evil, 0.0, 100.0, evil)]
        waits = [Waited(0, evil, evil, (1,), 50.0, 100.0)]
        found = timeline(held, waits, [Stay(0, evil, evil), Stay(1, evil, evil)], 100.0)
        text = gantt_svg(found.gantt, identifier=evil)
        ElementTree.fromstring(text)
        assert "<script" not in text

    def test_a_long_run_is_a_small_picture(self) -> None:
        units = [Stay(n, f"SN{n}", "A", finished_s=2000.0) for n in range(8)]
        held = [claim(n % 8, "dmm", 0.1 * n, 0.1 * n + 0.05, f"n{n}") for n in range(20_000)]
        waits = [Waited(n % 8, f"n{n}", "dmm", ((n + 1) % 8,), 0.1 * n - 0.05, 0.1 * n) for n in range(1, 20_000)]
        assert len(gantt_svg(timeline(held, waits, units, 2000.0).gantt)) < 120_000

    def test_the_worst_case_is_bounded(self) -> None:
        units = [Stay(n, f"SN{n}", "A", finished_s=1200.0) for n in range(100)]
        held = [claim(n % 100, f"r{n % 60}", 0.06 * n, 0.06 * n + 0.001 + n % 3, f"n{n}") for n in range(20_000)]
        text = gantt_svg(timeline(held, [], units, 1200.0).gantt)
        ElementTree.fromstring(text)
        assert len(text) < 3_000_000
        assert "more rows that are not drawn" in text

    def test_several_at_a_time_have_a_strip_each(self) -> None:
        held = [claim(0, "pool", 0.0, 100.0), claim(1, "pool", 0.0, 100.0)]
        root = ElementTree.fromstring(gantt_svg(timeline(held, [], UNITS, 120.0).gantt))
        tops = {
            path.get("d", "").split("h")[0]
            for path in root.iter(f"{SVG}path")
            if "uses pool" in (path.findtext(f"{SVG}title") or "")
        }
        assert len(tops) == 4  # two in the row of the pool, one in that of each unit

    def test_a_plan_can_be_drawn_alone_and_behind_what_happened(self) -> None:
        from engine.schedule.schedule import Bar as PlannedBar
        from engine.schedule.schedule import Row as PlannedRow

        way = PlannedBar(0.0, 30.0, 0, "n", "transition", "-40")
        planned = [
            PlannedRow("unit 1", "unit", (PlannedBar(0.0, 30.0, 0, "n", "task"),)),
            PlannedRow("chamber", "resource", (PlannedBar(0.0, 30.0, 0, "n", "task"),)),
            PlannedRow("dmm", "resource", (PlannedBar(30.0, 34.0, 0, "v", "task"),)),
            PlannedRow("chamber.setpoint", "mode", (way, PlannedBar(30.0, 40.0, -1, "n", "mode", "-40"))),
        ]
        chart = planned_chart(planned, ["LDO1"])
        assert [row.name for row in chart.rows] == ["chamber", "dmm", "LDO1"]
        assert [(bar.kind, bar.end_s) for bar in chart.rows[0].bars] == [(Kind.TRANSITION, 30.0), (Kind.MODE, 40.0)]
        assert [bar.kind for bar in chart.rows[2].bars] == [Kind.TRANSITION], "it waits for the chamber"
        ElementTree.fromstring(standalone(chart))
        actual = rack().gantt
        both = Gantt(actual.rows, actual.end_s, actual.units, behind=chart.rows)
        assert "as it was planned" in gantt_svg(both)
        assert gantt_svg(both).count('stroke-dasharray="3 2"') == 4  # three rows and the legend

    def test_a_bar_of_no_length_is_still_drawn(self) -> None:
        rows = (Row("dmm", RowKind.RESOURCE, (Bar(1.0, 1.0, 0, Kind.CLAIM),)),)
        ElementTree.fromstring(gantt_svg(Gantt(rows, 2.0, {0: "X"})))


def test_what_was_planned_stands_behind_what_happened():
    from schemas.documents import Held, Scheduled

    class Stay:
        unit, serial, site, started_s, finished_s, outcome = 0, "LDO1", "A", 0.0, 10.0, None

    planned = Scheduled(0.0, "plan", 9.0, 8.0, [("dmm", 0, 1.0, 2.0), ("dmm", 0, 1.0, 2.0), ("psu", 0, 0.0, 9.0)])
    found = timeline([Held(0, "dmm", "claim", "steps/v", 2.0, 3.0)], [], [Stay()], 10.0, None, planned)
    behind = {row.name: [(bar.start_s, bar.end_s) for bar in row.bars] for row in found.gantt.behind}
    assert behind["dmm"] == [(1.0, 2.0)]
    assert behind["LDO1"] == [(0.0, 9.0), (1.0, 2.0)]
    assert found.plan_text == "planned to take 9 s (no order can take less than 8 s), took 10 s"
