"""What is seen of a run while it is under way."""

from __future__ import annotations

import io
import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.cli.live import LiveView
from engine.cli.logfile import LogFile
from engine.cli.progress import JsonLines, PlainLines, as_plain
from schemas.documents import (
    Attached,
    FileSnapshot,
    Level,
    Logged,
    Measured,
    NodeFinished,
    NodeStarted,
    Outcome,
    RunStarted,
    Verdict,
)


def measured(value: Any = 3.1, verdict: Verdict = Verdict.FAIL, **more: Any) -> Measured:
    axes = more.pop("axes", (("temperature", -40.0),))
    return Measured(
        0, "steps/vout[temperature=-40]", 1, 4, "vout", value, "V", verdict, 12.5, 3.234, 3.366, "", -0.134, axes, **more
    )  # fmt: skip


def finished(outcome: Outcome = Outcome.DONE, t: float = 600.0, message: str = "", **more: Any) -> NodeFinished:
    return NodeFinished(0, more.pop("node", "steps/set#1"), 1, 3, "set", outcome, 0.0, t, message=message, **more)


def heard(*documents: Any, level: str = "info") -> list[str]:
    stream = io.StringIO()
    lines = PlainLines(stream, level)
    for document in documents:
        lines.hear(document)
    return stream.getvalue().splitlines()


def test_a_measured_value_is_a_line_with_verdict_limit_and_place() -> None:
    [line] = heard(measured())
    assert "x fail" in line or "✗ fail" in line
    assert "vout = 3.1000 V" in line
    assert "temperature -40" in line


def test_a_quick_step_that_judges_nothing_is_not_told_and_a_slow_one_is() -> None:
    assert heard(finished(t=0.1)) == []
    assert len(heard(finished(t=600.0))) == 1


def test_an_error_is_told_however_quick_it_was() -> None:
    [line] = heard(finished(Outcome.ERROR, 0.0, "dmm did not answer"))
    assert "dmm did not answer" in line


def test_a_node_whose_value_was_told_is_not_told_again() -> None:
    node = measured().node
    assert len(heard(measured(), finished(Outcome.FAIL, 0.5, "`vout` is below", node=node))) == 1


def test_messages_below_the_level_are_left_out() -> None:
    assert heard(Logged(0.0, Level.DEBUG, "detail")) == []
    assert len(heard(Logged(0.0, Level.DEBUG, "detail"), level="debug")) == 1
    assert heard(Logged(0.0, Level.INFO, "hello"), level="warning") == []


def test_a_reply_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in "".join(heard(Logged(0.0, Level.INFO, "a\x1b[2Jb"), measured("x\x1b]0;y")))


def test_a_stream_that_nobody_reads_does_not_stop_the_run() -> None:
    class Torn(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    for listener in (PlainLines(Torn()), JsonLines(Torn())):
        listener.hear(measured())
        listener.hear(measured())


def test_json_has_the_type_first_no_files_and_no_bare_nan() -> None:
    plain = as_plain(measured(math.nan))
    assert next(iter(plain.items())) == ("type", "Measured")
    assert plain["value"] == "NaN"
    assert plain["axes"] == {"temperature": -40.0}
    json.dumps(plain, allow_nan=False)
    started = RunStarted(
        *("id", "s", "t", "1", "st", "virtual", "a", "b", {"vin": 5.0}, None, 7, "", "", {}),
        [FileSnapshot("sequence", "s.yaml", "00", "sequence: s")], {"host": "x"},
    )  # fmt: skip
    assert as_plain(started)["files"] == [{"kind": "sequence", "path": "s.yaml", "sha256": "00"}]
    assert "content" not in as_plain(Attached(0, "n", 0.0, "a", "a", "00", 3, b"abc"))


def test_the_live_view_counts_and_estimates_what_is_left() -> None:
    from rich.console import Console

    now = [100.0]
    view = LiveView("ldo on sim", 10, None, lambda: now[0])
    assert view.remaining_s() is None
    view.hear(NodeStarted(0, "steps/vout", 1, 5, "measure", 1.0))
    view.hear(measured())
    view.hear(finished())
    now[0] = 110.0
    assert view.share() == 0.5
    assert view.remaining_s() == 10.0
    screen = Console(file=io.StringIO(), width=100, force_terminal=True)
    screen.print(view.render())
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "50%" in text
    assert "1 fail" in text
    assert "vout = 3.1000 V" in text


def test_the_live_view_keeps_what_was_logged() -> None:
    view = LiveView("ldo on sim", 10)
    view._live.console.file = io.StringIO()
    view.hear(Logged(3.0, Level.INFO, "supply [on]"))
    view.hear(Logged(3.0, Level.DEBUG, "detail"))
    assert view._live.console.file.getvalue() == "       3 s  info: supply [on]\n"


def test_the_log_file_takes_messages_errors_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "bench.log"
    with LogFile(path, "info", "text", lambda: datetime(2027, 3, 1, 12)) as log:
        log.hear(Logged(1.0, Level.DEBUG, "detail"))
        log.hear(Logged(1.0, Level.INFO, "supply on\nsecond line"))
        log.hear(finished(Outcome.ERROR, 2.0, "no reply"))
    assert path.read_text().splitlines() == [
        "2027-03-01T12:00:00.000 INFO           1.000 s supply on\\nsecond line",
        "2027-03-01T12:00:00.000 ERROR          2.000 s steps/set#1: error: no reply",
    ]
    with LogFile(path, "warning", "json") as log:
        log.hear(Logged(1.0, Level.WARNING, "hot"))
    assert json.loads(path.read_text().splitlines()[-1])["message"] == "hot"


def test_a_log_file_that_cannot_be_written_is_told_and_stops_nothing(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("")
    with LogFile(tmp_path / "file" / "bench.log") as log:
        log.hear(Logged(1.0, Level.INFO, "hello"))
    assert "cannot be written" in capsys.readouterr().err


def test_the_live_view_goes_by_predicted_time_where_there_is_a_prediction() -> None:
    view = LiveView("ldo on sim", 10, 1200.0)
    view.hear(finished(t=600.0))
    assert view.share() == 0.5
