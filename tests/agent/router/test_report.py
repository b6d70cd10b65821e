"""The page of an evaluation: whole, self-contained, and never raw."""

import random
import re
from pathlib import Path

import pytest

from agent.errors import ReportError
from agent.router.evaluation import Evaluation, Routed
from agent.router.report import write_report
from tests.agent.html_page import Page

ROUTES = ("retrieval", "expert", "hybrid", "abstain")
COSTS = {"retrieval": 0.12, "expert": 0.55, "hybrid": 0.8, "abstain": 0.02}
CURVE = (
    (0.0, 0.46, 0.86),
    (0.05, 0.4, 0.85),
    (0.1, 0.33, 0.83),
    (0.2, 0.24, 0.78),
    (0.5, 0.13, 0.66),
    (1.0, 0.05, 0.4),
)


def _rows(count: int = 120, *, success: bool = True, wanted: bool = True) -> tuple[Routed, ...]:
    """Invent what a fair router would do."""
    chance = random.Random(7)
    rows = []
    for number in range(count):
        right = chance.choices(ROUTES, (5, 3, 2, 2))[0]
        confidence = chance.uniform(0.4, 1)
        taken = right if chance.random() < confidence - 0.05 else chance.choice(ROUTES)
        outside = chance.betavariate(5, 2) if right == "abstain" else chance.betavariate(1, 6)
        rows.append(
            Routed(
                question=f"What is said of case {number} in the handbook of the northern plant?",
                wanted=right if wanted else None,
                taken=taken,
                confidence=confidence,
                out_of_scope=outside,
                reasons=(f"the domain is hr ({confidence:.0%})", "two passages agree"),
                stage=1 if confidence > 0.6 else 2,
                latency_ms=chance.lognormvariate(0.5, 0.4),
                success={
                    route: float(route == right or (route == "hybrid" and chance.random() < 0.6))
                    for route in ROUTES
                }
                if success
                else None,
                costs=COSTS,
            )
        )
    return tuple(rows)


class RouterPage(Page):
    """The router's report."""

    def headings(self) -> list[str]:
        return re.findall(
            "Routes|Against fixed|Wanted and taken|How far its|Cost and|Sent wrong", self.text
        )

    def count(self, tag: str, kind: str) -> int:
        return sum(t == tag and attrs.get("class") == kind for t, attrs in self.tags)


def _page(path: Path, evaluation: Evaluation) -> RouterPage:
    write_report(path, evaluation)
    return RouterPage(path.read_text(encoding="utf-8"))


def test_a_report_has_all_sections(tmp_path: Path) -> None:
    evaluation = Evaluation(_rows(), "0007", CURVE)
    page = _page(tmp_path / "report.html", evaluation)
    assert page.headings() == [
        "Routes",
        "Against fixed",
        "Wanted and taken",
        "How far its",
        "Cost and",
        "Sent wrong",
    ]
    figures = evaluation.figures()
    assert f"{figures['right']:.1%}" in page.text
    assert f"{figures['calibration_error']:.3f}" in page.text
    assert "Router 0007 on 120 questions" in page.text
    assert page.count("circle", "point") == len(CURVE)
    assert page.count("rect", "other") == 5
    assert page.count("rect", "bar") == 6
    assert page.count("td", "n right") == 4
    assert page.count("td", "n wrong") == 12
    assert page.count("td", "question") == len(evaluation.sent_wrong())


def test_a_report_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    page = _page(path, Evaluation(_rows(), "7", CURVE))
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert not any({"src", "href"} & attrs.keys() for _, attrs in page.tags)
    content = path.read_text(encoding="utf-8")
    assert "url(" not in content
    assert "http" not in content
    assert "prefers-color-scheme: dark" in content


def test_drawings_stay_in_their_frame(tmp_path: Path) -> None:
    page = _page(tmp_path / "report.html", Evaluation(_rows(), "7", CURVE))
    across = {"x", "cx"}
    for tag, attrs in page.tags:
        if tag in ("rect", "circle", "text"):
            for name in across & attrs.keys():
                assert 0 <= float(attrs[name] or -1) <= 560
            for name in {"y", "cy"} & attrs.keys():
                assert 0 <= float(attrs[name] or -1) <= 370


@pytest.mark.parametrize(
    ("known", "left_out"),
    [
        ({"success": False}, {"Against fixed", "Cost and"}),
        ({"wanted": False}, {"Routes", "Wanted and taken"}),
        ({"count": 0}, {"Routes", "Against fixed", "Wanted and taken", "How far its", "Cost and"}),
    ],
)
def test_what_is_not_known_is_left_out(
    known: dict[str, object], left_out: set[str], tmp_path: Path
) -> None:
    page = _page(tmp_path / "report.html", Evaluation(_rows(**known), "7", ()))
    assert left_out.isdisjoint(page.headings())
    assert len(page.headings()) == 6 - len(left_out)


def test_of_costs_and_successes_at_their_ends_it_can_be_drawn(tmp_path: Path) -> None:
    free = dict.fromkeys(ROUTES, 0.0)
    for value in (0.0, 1.0):
        rows = tuple(
            Routed(
                "Free?", None, "expert", 1.0, 0.0, (), 1, 0.0, dict.fromkeys(ROUTES, value), free
            )
            for _ in range(3)
        )
        page = _page(tmp_path / "report.html", Evaluation(rows, "7", ((0.0, 0.0, value),)))
        assert page.count("circle", "point") == 1
        assert "Sent wrong: 0" in page.text


def test_no_text_reaches_the_page_raw(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script> & \"more\"\x1b[2J \u202eeci"
    row = Routed(
        evil, "retrieval", f"my {evil}", 0.9, 0.1, (evil,), 1, 1.0, {f"my {evil}": 1.0}, {}
    )
    page = _page(tmp_path / "report.html", Evaluation((row,), evil, ()))
    assert not any(tag == "script" for tag, _ in page.tags)
    assert page.text.count("<script>alert('x')</script> & \"more\"") >= 4
    assert not set("\x1b\u202e") & set(page.text)


def test_of_many_sent_wrong_the_surest_are_shown(tmp_path: Path) -> None:
    page = _page(tmp_path / "report.html", Evaluation(_rows(2000, success=False), "7", ()))
    assert page.count("td", "question") == 200
    assert "The first 200 are shown." in page.text


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"cannot write .*report\.html: no such file"):
        write_report(tmp_path / "no/report.html", Evaluation((), "7", ()))
