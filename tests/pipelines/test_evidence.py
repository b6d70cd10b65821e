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
    assert evidence.text == "Tools are kept in the shed."
    assert selected["spans"] == {"p1": [(25, 52)]}


def test_by_tokens_it_needs_no_common_words():
    embedder = open_embedder("minilm")
    documents = [passage(start=100, end=100 + len(TEXT), page=3)]
    documents = embed_passages(embedder, documents)
    question = "When do we receive our salary?"
    tokens = embedder.embed_query(question).tokens
    selected = EvidenceSelector(per_passage=1).run(question, documents, tokens)
    (evidence,) = selected["evidence"]
    assert evidence.text == "Wages are paid on the last working day."
    start = 100 + TEXT.index("Wages")
    assert (evidence.document, evidence.start, evidence.end) == (
        "hr/handbook.md",
        start,
        start + len(evidence.text),
    )
    assert evidence.page == 3
    assert 0 < evidence.score <= 1


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
