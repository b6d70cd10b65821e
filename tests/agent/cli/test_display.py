"""What reaches a terminal of documents and models that hold anything."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from agent.chat_log import transcript
from agent.chat_screen import Streamed
from agent.cli.display import print_hit, print_reply, print_source, sources_of
from agent.reply import Part, Reply
from pipelines.answer import NOT_IN_SOURCES, Answer, Citation, Claim
from pipelines.search import Hit

EVIL = "\x1b[31mred\x1b[0m \x1b]0;owned\x07\x9b2J\u202eback\u202c [bold]markup[/] :smile:"
SHOWN = "red back [bold]markup[/] :smile:"
TEXT = f"Before. The value is {EVIL} 42 of them. After."
QUOTE = TEXT[8:-7]


def _hit(start: int = 100) -> Hit:
    known = {
        "document": f"{EVIL}.md",
        "title": EVIL,
        "headings": f"{EVIL} > Values\n",
        "page": 3,
        "start": start,
        "end": start + len(TEXT),
        "text": TEXT,
        "score": 0.5,
        "bm25": None,
        "vector": None,
        "also_in": ({"document": f"other {EVIL}", "page": 1, "start": 0, "end": 1},),
        "evidence": ((8, len(TEXT) - 7),),
        "meta": {"sheet": EVIL, "row": 2, "scores": {}},
    }
    if "passage" in Hit.__slots__:
        known["passage"] = "one"
    return Hit(**known)


def _reply(answer: Answer, hits: tuple[Hit, ...] = ()) -> Reply:
    return Reply(
        question=f"What {EVIL}?",
        searched=f"What {EVIL}? (more)",
        answer=answer,
        route="retrieval",
        adapter=EVIL,
        hits=hits,
        evidence=(),
        timings_ms={"total": 1500.0},
    )


def _citation(document: str = f"{EVIL}.md") -> Citation:
    return Citation(document, EVIL, 3, 108, 108 + len(QUOTE), QUOTE, 0.8)


def _console(*, terminal: bool = False) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=terminal, width=200, highlight=False, _environ={}
    )


def _is_clean(text: str) -> bool:
    return not set("\x1b\x07\x9b\u202e\u202c\r") & set(text)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(QUOTE, 0.8, (_citation(), _citation("gone.md")), answerer="quote"),
        Answer(f"It is {EVIL} [1].", 0.8, (_citation(),), answerer="phi3", dropped_citations=2),
        Answer(None, 0.1, reason=NOT_IN_SOURCES, nearest=_citation()),
        Answer(None, 0.0, reason=EVIL),
        Answer("It is so.", 0.8, (_citation(),), claims=(Claim(EVIL, 0.2, EVIL),)),
    ],
)
def test_answers_and_sources_are_made_printable(answer: Answer) -> None:
    console = _console()
    reply = _reply(answer, (_hit(),))
    print_reply(console, reply, panel=True)
    for number, source in enumerate(sources_of(reply), 1):
        print_source(console, source, number)
    print_hit(console, _hit(), 1)
    shown = console.file.getvalue()
    assert _is_clean(shown)
    assert f"{SHOWN}.md" in shown
    assert _is_clean(transcript([reply]))


def test_what_was_searched_for_is_said_where_it_was_not_asked_so() -> None:
    console = _console()
    reply = _reply(Answer("By sea.", 0.8), ())
    print_reply(console, replace(reply, question="Hwo?", searched=f"How {EVIL}?"))
    print_reply(console, replace(reply, question="How?", searched="How?"))
    shown = console.file.getvalue()
    assert shown.splitlines()[0] == f"searched as: How {SHOWN}?"
    assert shown.count("searched as") == 1


def test_an_answer_with_its_sources() -> None:
    console = _console()
    answer = Answer(QUOTE, 0.8, (_citation(),), highlights=((QUOTE.index("42"), len(QUOTE) - 1),))
    print_reply(console, _reply(answer, (_hit(),)))
    assert console.file.getvalue().splitlines()[1:] == [
        f"The value is {SHOWN} 42 of them.",
        f"[1] {SHOWN} > Values",
        f"    {SHOWN}.md, page 3, sheet {SHOWN}, row 2, characters 108–{108 + len(QUOTE)}",
        f"confidence 0.80 · quote · adapter {SHOWN} · 1.5 s",
    ]


def test_what_an_adapter_has_learned_is_told_from_what_documents_say() -> None:
    console = _console()
    answer = Answer("It is 42. [1] Anna knows.", 0.8, (_citation(),), answerer="quote+phi3")
    parts = (Part("What?", "retrieval", None, 0, 13), Part("Who?", "expert", f"{EVIL}@1", 14, 25))
    print_reply(console, replace(_reply(answer, (_hit(),)), parts=parts))
    shown = console.file.getvalue().splitlines()
    assert f"Learned by {SHOWN}@1, in no document: Anna knows." in shown
    assert not any("Learned" in line and "42" in line for line in shown)


def test_the_very_answer_is_set_off_where_it_is_on_a_terminal() -> None:
    console = _console(terminal=True)
    answer = Answer(QUOTE, 0.8, (_citation(),), highlights=((QUOTE.index("42"), len(QUOTE) - 1),))
    reply = _reply(answer, (_hit(),))
    print_reply(console, reply)
    print_source(console, sources_of(reply)[0], 1)
    shown = console.file.getvalue()
    assert "\x1b[1;33m42 of them\x1b[0m" in shown
    assert f"Before. \x1b[1;33mThe value is {SHOWN} 42 of them.\x1b[0m After." in shown


def test_a_model_that_says_more_than_its_source_has_that_quoted() -> None:
    console = _console()
    answer = Answer("It is 42 [1].", 0.8, (_citation(),), answerer="phi3", dropped_citations=2)
    print_reply(console, _reply(answer, (_hit(),)))
    shown = console.file.getvalue()
    assert f"    The value is {SHOWN} 42 of them." in shown
    assert "2 citations of nothing left out" in shown


def test_a_sentence_that_the_sources_do_not_back_is_named() -> None:
    console = _console()
    claims = (Claim("It is 42.", 1.0), Claim("It is 43.", 0.9, "43 does not stand there"))
    answer = Answer("It is 42. [1]", 0.8, (_citation(),), answerer="phi3", claims=claims)
    print_reply(console, _reply(answer, (_hit(),)))
    assert "Left out: It is 43. (43 does not stand there)\n" in console.file.getvalue()


def test_a_source_whose_passage_was_not_found_shows_its_quote() -> None:
    console = _console()
    reply = _reply(Answer(QUOTE, 0.8, (_citation(),)), (_hit(start=0),))
    (source,) = sources_of(reply)
    assert source.hit is None
    print_source(console, source, 1)
    assert f"│ The value is {SHOWN} 42 of them." in console.file.getvalue()


def test_a_long_quote_is_shortened_and_a_long_answer_is_not_wrapped_in_a_pipe() -> None:
    console = _console()
    long = "word " * 1000
    citation = Citation("a.md", None, None, 0, len(long), long, 0.5)
    print_reply(console, _reply(Answer(long.upper() + "!", 0.5, (citation,))))
    lines = console.file.getvalue().splitlines()
    assert lines[1] == long.upper() + "!"
    assert lines[3].endswith("word …")
    assert len(lines[2]) < 300


def test_a_stream_is_made_printable_and_leaves_nothing_behind() -> None:
    console = _console(terminal=True)
    with Streamed(console) as streamed:
        assert streamed.on_text is not None
        for piece in ("It is \x1b[3", "1mred\x07 now", "\n" * 60, "end"):
            streamed.on_text(piece)
        assert streamed.text.startswith("It is red now")
        streamed._live.refresh()
    shown = console.file.getvalue()
    assert "\x1b[31m" not in shown
    assert "\x07" not in shown
    assert "end" in shown
    silent = Streamed(_console())
    assert silent.on_text is None


@pytest.mark.parametrize(
    ("headings", "name"),
    [
        ("Branches", "Branches > York"),
        ("Branches > Leeds", "Branches > York"),
        ("Branches > North > York", "Branches > North > York"),
        ("Branches > New York", "Branches > York"),
        (None, "Branches > York"),
    ],
)
def test_a_source_stands_under_the_last_heading_above_it(headings: str | None, name: str) -> None:
    text = "York\n\nPhone: 220\n\nHull\n\nPhone: 330"
    places = {"headings_at": [0.0, 4.0, 18.0, 22.0]}  # as a store may keep them
    hit = replace(_hit(), title="Branches", headings=headings, text=text, meta=places)
    start = 100 + text.index("Phone: 220")
    cited = Citation(hit.document, "Branches", None, start, start + 10, "Phone: 220", 0.8)
    (source,) = sources_of(_reply(Answer("Phone: 220", 0.8, (cited,)), (hit,)))
    assert source.name == name


def test_a_source_above_all_headings_stands_under_those_of_its_passage() -> None:
    hit = replace(_hit(), title="Branches", headings="North", meta={"headings_at": [200, 204]})
    (source,) = sources_of(_reply(Answer(QUOTE, 0.8, (_citation(),)), (hit,)))
    assert source.name.endswith(" > North")
