"""The live view takes back what an attempt counted."""

from __future__ import annotations

from engine.cli.live import LiveView
from schemas.documents import Discarded, Document, Measured, NodeFinished, NodeStarted, Outcome, Verdict


def attempt(number: int, t: float, verdict: Verdict, *, error: bool = False) -> list[Document]:
    final = verdict is Verdict.PASS
    outcome = Outcome.FAIL if not final else Outcome.PASS
    inner = NodeFinished(0, "steps/g/steps/e", number, 3, "measure", Outcome.ERROR if error else Outcome.DONE, t, t + 1)
    return [
        NodeStarted(0, "steps/g", number, 1, "group", t),
        Measured(0, "steps/g/steps/v", number, 2, "v", 1.0, "V", verdict, t),
        inner,
        NodeFinished(0, "steps/g", number, 1, "group", outcome, t, t + 1, final),
    ]


def test_only_what_the_final_attempt_found_is_counted() -> None:
    view = LiveView("x", 5)
    before = Measured(0, "steps/before", 1, 0, "b", 1.0, "V", Verdict.FAIL, 0.0)
    given_up = Discarded(0, "steps/g", 1, 1, 3, 2.0)
    for document in [before, *attempt(1, 1.0, Verdict.FAIL, error=True), given_up, *attempt(2, 3.0, Verdict.PASS)]:
        view.hear(document)
    assert view._counts[Verdict.FAIL] == 1, "what failed before the group still counts"
    assert (view._counts[Verdict.PASS], view._errors) == (1, 0)
