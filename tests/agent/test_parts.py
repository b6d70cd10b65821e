"""Answers put together with every mark at its own source."""

from dataclasses import replace

import pytest

from agent.parts import in_short, put_together
from agent.reply import Answered
from pipelines.answer import NOT_IN_SOURCES, Answer, Citation, Claim
from pipelines.search import Found


def cited(document: str) -> Citation:
    return Citation(document, None, None, 0, 4, "text", 0.5)


QUOTE = Answer("It costs 40 euros.", 0.8, (cited("a.md"), cited("b.md")), highlights=((9, 11),))
WRITTEN = Answer(
    "B-40. [1]",
    0.5,
    (cited("c.md"),),
    answerer="phi3",
    usage={"prompt_tokens": 3},
    claims=(Claim("B-40.", 1.0),),
)
KNOWN = Answer("Anna.", 0.9, answerer="phi3", usage={"prompt_tokens": 2})
NONE = Answer(None, 0.1, reason=NOT_IN_SOURCES)


def answered(answer: Answer, route: str, adapter: str | None = None) -> Answered:
    return Answered(route, answer, adapter, Found([], []), {"answer": 2.0})


def test_a_list_begins_and_ends_a_line() -> None:
    listed = Answer("Bring:\na pass\na lock", 0.8, (cited("a.md"),))
    told = [answered(one, "retrieval") for one in (KNOWN, listed, WRITTEN, KNOWN)]
    found = put_together(("Who?", "What?", "Which?", "Who?"), told)
    assert found.answer.text == "Anna.\nBring:\na pass\na lock [1]\nB-40. [2] Anna."
    assert [found.answer.text[one.start : one.end] for one in found.parts][2] == "B-40. [2]"


def test_marks_and_highlights_keep_their_places() -> None:
    parts = ("What does it cost?", "Who knows?", "Which belt?", "And when?")
    found = put_together(
        parts,
        [
            answered(QUOTE, "retrieval"),
            answered(KNOWN, "expert", "hr@1"),
            answered(WRITTEN, "hybrid", "press@2"),
            answered(NONE, "retrieval"),
        ],
    )
    answer = found.answer
    assert answer.text == "It costs 40 euros. [1, 2] Anna. B-40. [3]"
    assert [c.document for c in answer.citations] == ["a.md", "b.md", "c.md"]
    assert [answer.text[start:end] for start, end in answer.highlights] == ["40"]
    assert answer.confidence == pytest.approx(0.8 * 0.9 * 0.5)
    assert answer.usage == {"prompt_tokens": 5}
    assert answer.missing == ("And when?",)
    assert answer.claims == WRITTEN.claims
    assert [
        (part.question, part.route, part.adapter, answer.text[part.start : part.end])
        for part in found.parts
    ] == [
        ("What does it cost?", "retrieval", None, "It costs 40 euros. [1, 2]"),
        ("Who knows?", "expert", "hr@1", "Anna."),
        ("Which belt?", "hybrid", "press@2", "B-40. [3]"),
    ]
    assert (found.route, found.adapter, found.took) == ("hybrid", "hr@1", {"answer": 8.0})


def test_where_no_part_has_an_answer_there_is_none() -> None:
    found = put_together(("a", "b"), [answered(NONE, "retrieval"), answered(NONE, "hybrid")])
    assert (found.answer, found.answer.abstained, found.parts) == (NONE, True, ())


def test_brackets_of_a_document_are_no_marks() -> None:
    quotes = [
        replace(QUOTE, text="It is 3900 m long [12].", citations=(cited("a.md"),), highlights=()),
        replace(QUOTE, text="It is 2490 m long [4].", citations=(cited("b.md"),), highlights=()),
    ]
    found = put_together(("Basel?", "Faro?"), [answered(one, "retrieval") for one in quotes])
    assert found.answer.text == "It is 3900 m long [12]. [1] It is 2490 m long [4]. [2]"


@pytest.mark.parametrize(
    ("text", "very", "short"),
    [
        (
            "Staff get 12 weeks of leave, which may be split. Ask HR.",
            ["12 weeks"],
            "Staff get 12 weeks of leave.",
        ),
        ("It is free; it takes 3 days.", ["3 days"], "it takes 3 days."),
        ("Order: 12 | Cost: 848.28 | Hours: 3", ["848.28"], "Cost: 848.28."),
        # Of two sentences each is cut down, the surer one first.
        (
            "Children: 3 months, as a rule. Adults need years.",
            ["years", "3 months"],
            "Adults need years. Children: 3 months.",
        ),
        # What says when it holds stays, and so do ranges, brackets and stops of other writing.
        (
            "Unless it is hot, open the valve by 2 turns, but slowly.",
            ["2 turns"],
            "Unless it is hot, open the valve by 2 turns, but slowly.",
        ),
        ("It runs at 3 – 5 bar (if cold).", ["5 bar"], "It runs at 3 – 5 bar (if cold)."),
        ("员工每年有五天假期。", ["五天"], "员工每年有五天假期。"),
    ],
)
def test_beside_others_a_quote_is_cut_down_to_its_clause(
    text: str, very: list[str], short: str
) -> None:
    stretches = tuple((text.index(one), text.index(one) + len(one)) for one in very)
    answer = in_short(replace(QUOTE, text=text, highlights=stretches))
    assert answer.text == short
    assert [short[start:end] for start, end in answer.highlights] == very
    assert answer.citations == QUOTE.citations


def test_what_is_no_quote_stays_as_it_is() -> None:
    written = replace(QUOTE, answerer="phi3", text="It costs 40 euros, as a rule. [1]")
    nothing = Answer(None, 0.1, reason=NOT_IN_SOURCES)
    assert (in_short(written), in_short(nothing)) == (written, nothing)


@pytest.mark.parametrize(("score", "is_told"), [(0.3, True), (0.1, False)])
def test_a_second_sentence_is_told_in_short_where_it_is_about_as_likely(
    score: float, is_told: bool
) -> None:
    text = "Fitters wear blue, as a rule. The fee is 40 euros, all told."
    fee = replace(QUOTE.citations[0], start=30, quote=text[30:], score=0.4)
    blue = replace(fee, start=0, quote=text[:29], score=score)
    # The likelier sentence's words come first, the places in the order of the text.
    highlights = ((41, 49), (13, 17))
    answer = replace(QUOTE, text=text, highlights=highlights, citations=(blue, fee))
    short = in_short(answer)
    if is_told:
        assert short.text == "The fee is 40 euros. Fitters wear blue."
        assert short.citations == (blue, fee)
    else:
        assert short.text == "The fee is 40 euros."
        assert short.citations == (fee,)
    assert next(short.text[start:end] for start, end in short.highlights) == "40 euros"
