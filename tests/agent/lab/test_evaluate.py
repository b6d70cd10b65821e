"""Scores count what was said: the answer, its mark, and refusals on both sides."""

from agent.lab import sources
from agent.lab.data import Files
from agent.lab.evaluate import Case, cases, rows_of, scores


def _case(place: int, *accepted: str) -> Case:
    return Case(({"role": "user", "content": "?"},), accepted, place)


def test_answers_marks_and_refusals_are_counted() -> None:
    asked = [
        _case(1, "Ida Holm", "Holm"),
        _case(2, "1921"),
        _case(3, "a fire"),
        _case(0),
        _case(0),
    ]
    said = ["Holm [1]", "in 1921 [3]", "Not in the sources.", "Not in the sources.", "1938 [1]"]
    found = scores(asked, said)
    assert found.asked == (3, 2)
    assert found.exact == 1 / 3
    assert abs(found.f1 - (1 + 2 / 3) / 3) < 1e-9
    assert found.cited == 0.5
    assert found.refused == 0.5
    assert found.falsely_refused == 1 / 3


def test_a_refusal_is_no_answer_of_no_words() -> None:
    asked = [_case(1, "A"), _case(1, "The")]
    found = scores(asked, ["Not in the sources.", "The [1]"])
    assert (found.f1, found.exact) == (0.5, 0.5)


def test_the_sentence_that_answers_is_among_those_shown(files: Files) -> None:
    articles = list(sources.squad(files.squad))
    for passages in (3, 6):
        for case in cases(articles, passages=passages):
            lines = case.messages[1]["content"].rsplit("\n\nQuestion: ", 1)[0].split("\n")
            assert len(lines) <= passages
            if case.accepted:
                assert case.accepted[0] in lines[case.place - 1]
    assert any(not case.accepted for case in cases(articles))


def test_whole_paragraphs_and_rows_are_shown_where_wanted(files: Files) -> None:
    assert files.tables is not None
    (case, *_) = [c for c in cases(list(sources.squad(files.squad)), whole=True) if c.accepted]
    assert "founded in 1921. Ida Holm led it" in case.messages[1]["content"]
    (row,) = rows_of(list(sources.tables(files.tables)))
    assert row.accepted == ("40 kW",)
    assert "Pump: Beta" in row.messages[1]["content"]
