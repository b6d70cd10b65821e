import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.printable import one_line, printable, printable_spans, to_json

TEXTS = st.text(
    st.one_of(
        st.sampled_from(
            "\x1b\x9b\x9d\x07\r\n\t[]0;mab \u202e\u2066\u2028\x85\ud800\ufeff\U000e0041\\"
        ),
        st.characters(),
    ),
    max_size=40,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b1;5HX", "X"),
        ("\x1b]0;a title\x07X", "X"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ended", "]0;never ended"),
        ("a\x00b\x08c\x7fd", "abcd"),
        ("one\r\ntwo\rthree\x0bfour\u2028five", "one\ntwo\nthree\nfour\nfive"),
        ("pay \u202eeno\u202c", "pay eno"),
        ("half \ud83d", "half "),
        ("tab\tstays, शब्द and 👩‍🚒 too", "tab\tstays, शब्द and 👩‍🚒 too"),
    ],
)
def test_what_a_terminal_would_obey_is_taken_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_name_stays_on_its_line() -> None:
    assert one_line(" a\nb\t \x1b[2Jc ") == "a b c"


@given(TEXTS)
def test_nothing_unprintable_is_left(text: str) -> None:
    shown = printable(text)
    assert not {c for c in shown if c < " " and c not in "\n\t"}
    assert not set("\x7f\x85\x9b\u202e\u2066\u2028\ud800") & set(shown)
    assert printable(shown) == shown


@given(TEXTS, st.data())
def test_stretches_keep_what_is_printable_of_them(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    shown, [(first, last)] = printable_spans(text, [(start, end)])
    assert shown == printable(text)
    assert 0 <= first <= last <= len(shown)
    # Cut inside a sequence the pieces read otherwise; cut beside it they are the same.
    if printable(text[:start]) + printable(text[start:end]) + printable(text[end:]) == shown:
        assert shown[first:last] == printable(text[start:end])


@given(TEXTS)
def test_json_reads_as_it_was_and_shows_as_it_stands(text: str) -> None:
    line = to_json({"text": text})
    assert json.loads(line) == {"text": text}
    assert printable(line) == line
    assert "\n" not in line
