import sqlite3
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stores.fts5_terms import TOKENIZER, Fts5Terms

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.fixture(scope="module")
def terms():
    return Fts5Terms()


def test_terms_are_folded_stemmed_and_counted(terms):
    (found,) = terms.of_passages(["The nurses' CAFÉ nurse — 12,345 relational"])
    assert sorted(found.split()) == ["12", "345", "cafe", "nurs", "nurs", "relat", "the"]


def test_each_text_gets_its_own_terms_even_when_it_has_none(terms):
    assert terms.of_passages(["pumps", "", "?!", "pump pump"]) == ["pump", "", "", "pump pump"]
    assert terms.of_passages([]) == []


def test_a_question_gives_each_term_once(terms):
    assert terms.of_question("pumps pump PUMP leak?") == ["leak", "pump"]
    assert terms.of_question("?!") == []
    assert terms.of_question("broken \ud800 surrogate") == ["broken", "surrog"]


@given(st.lists(TEXTS, min_size=1, max_size=4), TEXTS)
def test_a_full_text_table_matches_where_terms_are_shared(texts, question):
    terms = Fts5Terms()
    wanted = terms.of_question(question)
    passages = terms.of_passages(texts)
    table = sqlite3.connect(":memory:")
    table.execute(f"CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='{TOKENIZER}')")
    table.executemany("INSERT INTO texts(rowid, text) VALUES (?, ?)", enumerate(texts))
    # The question's own words, so that the table analyses them itself.
    table.execute("CREATE VIRTUAL TABLE asked USING fts5(text, tokenize='unicode61')")
    table.execute("INSERT INTO asked VALUES (?)", [question])
    table.execute("CREATE VIRTUAL TABLE words USING fts5vocab(asked, 'row')")
    words = [f'"{word}"' for (word,) in table.execute("SELECT term FROM words")]
    matched = set()
    if words:
        rows = table.execute("SELECT rowid FROM texts WHERE texts MATCH ?", [" OR ".join(words)])
        matched = {number for (number,) in rows}
    assert {n for n, one in enumerate(passages) if set(one.split()) & set(wanted)} == matched


def test_threads_share_one(terms):
    wrong = []

    def analyse(word):
        found = [terms.of_passages([word] * 3) for _ in range(50)]
        wrong.extend(one for one in found if one != [word] * 3)

    threads = [threading.Thread(target=analyse, args=[f"word{n}"]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
