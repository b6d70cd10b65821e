"""Calls are held to the question's words and the names found beside them."""

import re

from pipelines.agent_scope import allowed, pattern
from pipelines.evidence import Evidence

ASKED = "How long is the runway of the airport where the Kestrel landed?"


def found(text: str) -> Evidence:
    return Evidence("a.md", "1", None, "", 0, len(text), None, text, 1.0)


def test_names_come_from_sentences_about_what_was_asked() -> None:
    words = allowed(
        ASKED, [found("The Kestrel landed at Faro airport. Ask DAN for it, says Basel.")]
    )
    assert "Faro" in words
    assert not {"DAN", "Basel", "says"} & set(words)


def test_a_text_is_made_of_the_words_allowed() -> None:
    of_words = re.compile(pattern(allowed(ASKED, [])))
    assert of_words.search("How long is the runway")
    assert of_words.search("airport where the Kestrel landed?")
    assert not of_words.search("passwords of the airport")
    assert not of_words.search("")
    assert not of_words.search(" ".join(["runway"] * 25))
