"""The page of an evaluation: whole, self-contained, and never raw."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import ReportError, WorkspaceError
from agent.evaluation.compare import Evaluation
from agent.evaluation.metrics import Judged, Measured
from agent.evaluation.report import write_report
from agent.expert import Failure, Reply
from pipelines.evidence import Evidence
from tests.agent.html_page import Page

EVIL = "<script>alert('x')</script> & \"more\"\x1b[2J \u202eeci"


@pytest.fixture
def evaluation(
    judged: Callable[..., Judged],
    make_reply: Callable[..., Reply],
    make_evidence: Callable[..., Evidence],
) -> Evaluation:
    """Give two ways with answers right and wrong, withheld and failed, of evil texts."""
    piece = make_evidence(f"Staff earn 25 days. {EVIL}", EVIL)
    right = make_reply(EVIL, "25 days [1]", quotes=(EVIL,), pieces=(piece,), decided="retrieval")
    wrong = make_reply(EVIL, f"{EVIL}\nand more", decided="expert", adapter=EVIL)
    withheld, failed = make_reply(EVIL), Failure(EVIL, WorkspaceError(EVIL))
    asked = {"question": EVIL, "accepted": ["25 days"], "answer": EVIL, "kind": EVIL, "id": EVIL}
    replies = {
        "router": (right, wrong, withheld, right),
        "hybrid": (right, failed, withheld, withheld),
    }
    suite = (asked, asked, asked, {"kind": "open"})
    return Evaluation(
        {
            way: Measured(
                way,
                tuple(judged(one, told) for one, told in zip(suite, each, strict=True)),
            )
            for way, each in replies.items()
        }
    )


def _page(path: Path, evaluation: Evaluation) -> Page:
    write_report(path, EVIL, evaluation)
    return Page(path.read_text(encoding="utf-8"))


def test_a_report_has_all_sections(tmp_path: Path, evaluation: Evaluation) -> None:
    text = _page(tmp_path / "report.html", evaluation).text
    assert evaluation.verdict() in text
    for heading in (
        "Ways side by side",
        "Right, and how near",
        "Cost",
        "hybrid against each other way",
        "Right by kind of question",
        "How far confidence can be trusted",
        "Not all right: 3",
    ):
        assert heading in text
    assert "wanted: <script>" in text
    assert "withheld: nothing was found" in text
    assert "backed" in text
    assert "confidence 0.80" in text


def test_a_share_of_nothing_is_shown_and_a_count_of_none_is_not(
    tmp_path: Path, judged: Callable[..., Judged], make_reply: Callable[..., Reply]
) -> None:
    wrong = judged({"accepted": ["25"]}, make_reply(text="26"))
    text = _page(tmp_path / "r.html", Evaluation({"expert": Measured("expert", (wrong,))})).text
    assert "answered rightly0.0%" in text
    assert "withheld though answerable0.0%" in text
    for said in ("withheld, rightly", "could not be asked", "tokens read"):
        assert said not in text


def test_no_text_reaches_the_page_raw(tmp_path: Path, evaluation: Evaluation) -> None:
    page = _page(tmp_path / "report.html", evaluation)
    assert not any(tag == "script" for tag, _ in page.tags)
    assert page.text.count("<script>alert('x')</script> & \"more\"") >= 10
    assert not set("\x1b\u202e") & set(page.text)


def test_a_report_needs_nothing_from_elsewhere(tmp_path: Path, evaluation: Evaluation) -> None:
    page = _page(tmp_path / "report.html", evaluation)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert not any({"src", "href"} & attrs.keys() for _, attrs in page.tags)
    content = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "url(" not in content
    assert "prefers-color-scheme: dark" in content


def test_drawings_stay_in_their_frame(tmp_path: Path, evaluation: Evaluation) -> None:
    for tag, attrs in _page(tmp_path / "report.html", evaluation).tags:
        if tag in ("rect", "text"):
            assert 0 <= float(attrs["x"] or -1) <= 560
            assert 0 <= float(attrs["y"] or -1) <= 370


def test_one_way_with_nothing_but_failures_can_be_drawn(
    tmp_path: Path, judged: Callable[..., Judged]
) -> None:
    failed = judged({"accepted": ["25"]}, Failure("How long?", WorkspaceError("too long")))
    page = _page(tmp_path / "report.html", Evaluation({"expert": Measured("expert", (failed,))}))
    assert "failed: too long" in page.text
    assert "against each other" not in page.text


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, evaluation: Evaluation) -> None:
    with pytest.raises(ReportError, match=r"cannot write .*report\.html: no such file"):
        write_report(tmp_path / "no/report.html", "suite", evaluation)
