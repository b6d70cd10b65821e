"""Evidence points at the sentence that answers, with its place in the document."""

import pytest
from haystack import Document

from pipelines.embed import open_embedder
from pipelines.embed.components import embed_passages
from pipelines.evidence import EvidenceSelector

TEXT = (
    "Annual leave is 20 days. Tools are kept in the shed. Wages are paid on the last working day."
)


def passage(**meta) -> Document:
    return Document(id="p1", content=TEXT, meta={"document": "hr/handbook.md", **meta})


def test_by_words_the_sentence_with_the_rare_words_wins():
    selected = EvidenceSelector(per_passage=1).run("Where are tools kept?", [passage()])
    (evidence,) = selected["evidence"]
    assert evidence.text == TEXT
    assert selected["spans"] == {"p1": [(25, 52)]}


def test_by_tokens_it_needs_no_common_words():
    embedder = open_embedder("minilm")
    documents = [passage(start=100, end=100 + len(TEXT), page=3)]
    documents = embed_passages(embedder, documents)
    question = "When do we receive our salary?"
    tokens = embedder.embed_query(question).tokens
    selected = EvidenceSelector(per_passage=1).run(question, documents, tokens)
    (evidence,) = selected["evidence"]
    assert selected["spans"] == {"p1": [(TEXT.index("Wages"), len(TEXT))]}
    assert (evidence.document, evidence.start, evidence.end) == (
        "hr/handbook.md",
        100,
        100 + len(TEXT),
    )
    assert evidence.page == 3
    assert 0 < evidence.score <= 1


def test_it_keeps_the_score_that_compares_between_questions():
    ranked, other = passage(_scores={"late": 2.5}), passage(_scores={"rerank": 0.9})
    pieces = EvidenceSelector().run("Where are tools kept?", [ranked, other])["evidence"]
    assert [piece.late for piece in pieces] == [2.5, None]


def test_the_last_passage_is_cut_to_its_best_sentence_with_neighbours():
    many = " ".join(f"Sentence number {n} is about the weather." for n in range(20))
    document = Document(
        id="1", content=f"{many} Tools are kept in the shed. {many}", meta={"start": 50}
    )
    (evidence,) = EvidenceSelector(max_tokens=40).run("Where are tools kept?", [document])[
        "evidence"
    ]
    assert "Tools are kept in the shed." in evidence.text
    assert 40 < len(evidence.text) <= 160
    at = evidence.start - 50
    assert (document.content or "")[at : at + len(evidence.text)] == evidence.text


def test_a_sentence_longer_than_the_room_is_left_out():
    document = Document(id="1", content="word " * 500)
    assert EvidenceSelector(max_tokens=40).run("word", [document])["evidence"] == []


def test_evidence_keeps_to_its_budget():
    documents = [Document(id=str(n), content=f"{TEXT} Part {n}.") for n in range(50)]
    evidence = EvidenceSelector(max_tokens=60).run("tools in the shed", documents)["evidence"]
    assert 0 < sum(len(item.text) / 4 for item in evidence) <= 60


@pytest.mark.parametrize("documents", [[], [Document(content="")], [Document(content="...")]])
def test_nothing_to_select_from(documents):
    selected = EvidenceSelector().run("anything", documents)
    assert selected["documents"] == documents
    assert all(not item.text.strip(".") for item in selected["evidence"])


def test_documents_pass_through_in_order():
    documents = [Document(id=str(n), content=TEXT) for n in range(3)]
    selected = EvidenceSelector().run("tools", documents, top_k=2)
    assert [document.id for document in selected["documents"]] == ["0", "1"]


def test_it_is_serialisable():
    data = EvidenceSelector(max_tokens=100, per_passage=3).to_dict()
    again = EvidenceSelector.from_dict(data)
    assert (again.max_tokens, again.per_passage) == (100, 3)


def test_a_list_that_something_else_cuts_in_two_is_not_whole() -> None:
    def lists(*items: str, apart: str = "\n") -> list[list[str]]:
        text = apart.join(items)
        lines = [line for item in items for line in item.split("\n")]
        places = [at for line in lines for at in (text.index(line), text.index(line) + len(line))]
        document = Document(content=text, meta={"document": "a.md", "items_at": places})
        (evidence,) = EvidenceSelector().run("How?", [document])["evidence"]
        return [[evidence.text[s:e] for s, e in items] for items in evidence.lists]

    assert lists("1. Count.", "2. Lock up.") == [["1. Count.", "2. Lock up."]]
    assert lists("1. Count.", "2. Print:", "3. Go.", apart="\n\ntill --report\n\n") == []
    assert lists("first", "last") == [["first", "last"]]
    assert lists("count", "print this:") == []
    assert lists("1st\n2nd:", "3rd\n4th", apart="\n\n|\n\n") == []


def test_places_that_a_store_keeps_as_other_numbers_are_read() -> None:
    meta = {"document": "a.md", "items_at": [0.0, 5.0, 6.0, 11.0], "headings_at": [0, 5, 6]}
    document = Document(content="first\nother", meta=meta)
    (evidence,) = EvidenceSelector().run("How?", [document])["evidence"]
    assert (evidence.lists, evidence.headings) == ((((0, 5), (6, 11)),), ((0, 5),))
