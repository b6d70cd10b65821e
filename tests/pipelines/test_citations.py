from pipelines.citations import resolve
from pipelines.evidence import Evidence


def piece(text: str, document: str = "leave.md", start: int = 100) -> Evidence:
    return Evidence(document, "id", None, "", start, start + len(text), 3, text, 0.5)


LEAVE = piece("Staff have 20 days of leave. Unused days lapse in March.")
TRAVEL = piece("Trains are booked by the office.", "travel.md", 0)


def test_a_mark_becomes_the_place_of_the_sentence_that_it_stands_for() -> None:
    cited = resolve(
        "You have 20 days of leave [1]. Trains are booked for you [2].", [LEAVE, TRAVEL]
    )
    assert cited.text == "You have 20 days of leave [1]. Trains are booked for you [2]."
    first, second = cited.citations
    assert first.quote == "Staff have 20 days of leave."
    assert (first.document, first.page, first.start, first.end) == ("leave.md", 3, 100, 128)
    assert second.quote == "Trains are booked by the office."
    assert second.start == 0
    assert 0 < first.score <= 1


def test_a_mark_that_points_nowhere_is_dropped_and_counted() -> None:
    cited = resolve("Twenty days [7], or [0].", [LEAVE])
    assert (cited.text, cited.citations, cited.dropped) == ("Twenty days, or.", (), 2)


def test_marks_are_renumbered_in_the_order_of_the_citations() -> None:
    cited = resolve("By the office [2]. Days lapse in March [1, 2].", [LEAVE, TRAVEL])
    assert [c.document for c in cited.citations] == ["travel.md", "leave.md"]
    assert cited.text == "By the office [1]. Days lapse in March [2, 1]."


def test_the_same_place_is_cited_once() -> None:
    cited = resolve("20 days of leave [1]. Staff have 20 days of leave [1].", [LEAVE])
    assert len(cited.citations) == 1


def test_text_without_marks_cites_nothing() -> None:
    assert resolve("  Not in the sources. ", [LEAVE]).text == "Not in the sources."
    assert resolve("", []).citations == ()
    assert resolve("[1]", [LEAVE]).citations[0].score == 0
