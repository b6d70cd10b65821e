"""Each question set comes out as texts in pieces, with the piece that answers."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.errors import LabError
from agent.lab import sources
from agent.lab.data import Files
from agent.lab.sources import Article


def test_squad_knows_the_sentence_that_answers_or_seems_to(files: Files) -> None:
    articles = list(sources.squad(files.squad))
    text = articles[0].texts[0]
    assert len(articles) == 3
    assert text.title == "Old works 0"
    assert text.pieces[1] == "Ida Holm led it until 1938."
    led, impossible = text.asked[1], text.asked[3]
    assert (led.answer, led.piece, led.accepted) == ("Ida Holm", 1, ("Ida Holm",))
    assert (impossible.answer, impossible.piece) == (None, 1)


def test_of_tables_only_look_ups_of_one_row_are_asked(files: Files) -> None:
    assert files.tables is not None
    (article,) = sources.tables(files.tables)
    (text,) = article.texts
    assert text.pieces[0] == "Pump: Alfa 2 | Power: 40 kW | Year: 1999"
    assert [(one.answer, one.piece) for one in text.asked] == [("40 kW", 0)]


def test_reports_are_rows_with_their_header_and_sentences(files: Files) -> None:
    assert files.reports is not None
    (article,) = sources.reports(files.reports)
    (text,) = article.texts
    assert text.pieces[0] == "Sales | 2019: $1,452 | 2018: $1,146"
    assert [(one.answer, one.piece) for one in text.asked] == [("$1,452", 0), ("Berg and Sons", 3)]


def test_studies_and_topics_answer_in_their_own_way(files: Files) -> None:
    assert files.studies is not None
    assert files.topics is not None
    (study,) = sources.studies(files.studies)
    (topic,) = sources.topics(files.topics)
    assert study.texts[0].asked[0].answer == "Yes"
    assert topic.texts[0].asked[0].question == "What are the symptoms of Ague?"
    assert topic.texts[0].asked[0].answer == "Ague begins with shivering."
    assert topic.texts[0].title == "Ague > Symptoms"


@pytest.mark.parametrize(("content", "said"), [("[]", "not a SQuAD file"), ("{", "cannot read")])
def test_another_file_is_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LabError, match=said) as caught:
        list(sources.squad(path))
    assert "wrong.json" in str(caught.value)


@pytest.mark.parametrize("read", [sources.reports, sources.studies, sources.topics])
def test_a_file_of_another_form_is_named(
    read: Callable[[Path], Iterator[Article]], tmp_path: Path
) -> None:
    path = tmp_path / "wrong.json"
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(LabError, match=rf"wrong\.json does not hold {read.__name__}"):
        list(read(path))


def test_a_download_that_was_cut_off_is_named(files: Files, tmp_path: Path) -> None:
    path = tmp_path / "cut.json.gz"
    path.write_bytes(gzip.compress(files.squad.read_bytes())[:-20])
    with pytest.raises(LabError, match=r"cannot read .*cut\.json\.gz"):
        list(sources.squad(path))
    with pytest.raises(LabError, match="does not hold tables"):
        list(sources.tables(tmp_path))
