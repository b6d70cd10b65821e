import re
from collections.abc import Sequence

import pytest
from haystack import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.answer import cite
from pipelines.convert.extracted import Extracted, ExtractedBuilder
from pipelines.evidence import EvidenceSelector
from pipelines.split import passage_context, split


def count_tokens(texts: Sequence[str]) -> list[int]:
    """Count words and signs, as a WordPiece tokenizer does with short words."""
    return [len(re.findall(r"\w+|[^\w\s]", text)) for text in texts]


def passages(
    extracted: Extracted, max_tokens: int = 48, document: str = "a/b.md"
) -> list[Document]:
    return split(
        extracted,
        root="/docs",
        document=document,
        format="md",
        max_tokens=max_tokens,
        count_tokens=count_tokens,
    )


def words(count: int, stem: str = "word") -> str:
    return " ".join(f"{stem}{i}" for i in range(count))


def build(*blocks: tuple[str, str] | tuple[str, str, int], title: str | None = None) -> Extracted:
    builder = ExtractedBuilder()
    builder.title = title
    for kind, text, *level in blocks:
        builder.add(kind, text, level=level[0] if level else 0)
    return builder.build()


def test_a_passage_starts_with_its_heading_and_knows_those_above() -> None:
    found = passages(
        build(
            ("heading", "Leave", 1),
            ("paragraph", words(30)),
            ("heading", "Sick leave", 2),
            ("paragraph", words(30, "ill")),
            ("heading", "Travel", 1),
            ("paragraph", words(30, "trip")),
        )
    )
    assert [d.content.split("\n")[0] for d in found] == ["Leave", "Sick leave", "Travel"]
    assert [d.meta["headings"] for d in found] == ["Leave", "Leave > Sick leave", "Travel"]


def test_a_heading_with_nothing_of_its_own_opens_its_first_subsection() -> None:
    found = passages(
        build(("heading", "Leave", 1), ("heading", "Sick", 2), ("paragraph", words(30)))
    )
    assert len(found) == 1
    assert found[0].content.startswith("Leave\n\nSick\n\nword0")
    assert found[0].meta["headings"] == "Leave > Sick"


def test_tiny_sections_join_under_the_heading_they_share_and_no_other() -> None:
    found = passages(
        build(
            ("heading", "Contacts", 1),
            ("heading", "Payroll", 2),
            ("paragraph", "Call 5512."),
            ("heading", "Travel", 2),
            ("paragraph", "Call 5513."),
            ("heading", "Policy", 1),
            ("paragraph", words(40)),
        )
    )
    assert [d.meta["headings"] for d in found] == ["Contacts", "Policy"]
    assert "5512" in found[0].content
    assert "5513" in found[0].content


def test_paragraphs_are_packed_and_the_rest_of_a_section_is_not_left_tiny() -> None:
    found = passages(build(*[("paragraph", words(12, f"p{i}x") + ".") for i in range(7)]), 44)
    sizes = count_tokens([d.content for d in found])
    assert len(found) == 3
    assert min(sizes) >= 11


def test_a_list_stays_with_the_paragraph_that_leads_into_it() -> None:
    items = [("list_item", words(4, f"item{i}x")) for i in range(5)]
    found = passages(
        build(("paragraph", words(30)), ("paragraph", "You need these:"), *items), max_tokens=48
    )
    assert [d.content.split()[0] for d in found] == ["word0", "You"]
    assert found[1].content.count("\n") == 6


def test_a_long_list_breaks_between_items_and_its_lead_is_not_left_behind() -> None:
    items = [("list_item", words(9, f"item{i}x")) for i in range(12)]
    found = passages(build(("paragraph", words(36)), ("paragraph", "Steps:"), *items))
    assert not any(d.content.endswith("Steps:") for d in found)
    starts = {line.split()[0] for d in found for line in [d.content.split("\n")[0]]}
    assert all(re.fullmatch(r"word0|Steps:|item\d+x0", start) for start in starts)


def test_a_paragraph_that_is_too_long_is_cut_at_the_ends_of_sentences() -> None:
    text = " ".join(f"Sentence {i} has {words(8, 'w')}." for i in range(20))
    found = passages(build(("heading", "H", 1), ("paragraph", text)))
    assert len(found) > 3
    assert all(d.content.endswith(".") for d in found)
    assert all(re.match(r"H\n|Sentence \d+ ", d.content) for d in found)
    assert all(d.meta["headings"] == "H" for d in found)


def test_a_sentence_that_is_too_long_is_cut_at_words() -> None:
    found = passages(build(("paragraph", words(200))))
    assert " ".join(d.content for d in found) == words(200)
    assert max(count_tokens([d.content for d in found])) <= 48


def test_a_word_without_end_is_cut_too() -> None:
    blob = "QUJD" * 2_000
    found = passages(build(("paragraph", f"Key: {blob} end")))
    assert "".join(d.content for d in found).replace("Key: ", "").removesuffix(" end") == blob
    assert max(len(d.content) for d in found) < 48 * 33


def test_code_is_cut_at_lines() -> None:
    lines = [f"call_{i}(one, two.Three)  # so. Then" for i in range(30)]
    found = passages(build(("code", "\n".join(lines))))
    assert [line for d in found for line in d.content.split("\n")] == lines


def test_rows_of_a_table_in_a_document_are_packed() -> None:
    found = passages(build(*[("table_row", f"Item: {i} | Price: {i * 10}") for i in range(12)]))
    assert 1 < len(found) < 5
    assert {d.meta["kind"] for d in found} == {"text"}


def test_a_row_with_columns_is_a_passage_of_its_own() -> None:
    builder = ExtractedBuilder()
    builder.add("paragraph", "Orders of the year", sheet="Orders")
    for i in range(3):
        builder.add(
            "table_row", f"Part: P{i} | Cost: {i}", sheet="Orders", row=i + 2,
            columns={"Part": f"P{i}", "Cost": i},
        )  # fmt: skip
    found = passages(builder.build(), document="orders.xlsx")
    assert [d.meta["kind"] for d in found] == ["text", "row", "row", "row"]
    assert found[2].meta["columns"] == {"Part": "P1", "Cost": 1}
    assert (found[2].meta["sheet"], found[2].meta["row"]) == ("Orders", 3)
    assert found[2].content == "Part: P1 | Cost: 1"


def test_a_row_that_is_too_long_keeps_its_columns_in_every_part() -> None:
    builder = ExtractedBuilder()
    columns = {"id": 7, "note": words(120)}
    builder.add("table_row", f"id: 7 | note: {words(120)}", row=2, columns=columns)
    found = passages(builder.build())
    assert len(found) == 3
    assert all(d.meta["columns"] == columns and d.meta["row"] == 2 for d in found)


def test_properties_stand_apart_from_the_text_unless_they_are_few() -> None:
    many = [("property", f"name{i}: {words(3)}") for i in range(4)]
    found = passages(build(*many, ("heading", "H", 1), ("paragraph", words(20))))
    assert [d.content.split()[0] for d in found] == ["name0:", "H"]
    assert "headings" not in found[0].meta
    few = passages(build(("property", "title: Pumps"), ("heading", "H", 1), ("paragraph", "So.")))
    assert [d.content for d in few] == ["title: Pumps\n\nH\n\nSo."]
    assert few[0].meta["headings"] == "H"


def test_meta_says_where_a_passage_stands_and_leaves_out_what_is_unknown() -> None:
    builder = ExtractedBuilder()
    builder.title = "Handbook"
    builder.add("paragraph", words(30), page=4)
    builder.add("paragraph", words(30, "next"), page=5)
    first, second = passages(builder.build())
    assert first.meta == {
        "root": "/docs",
        "document": "a/b.md",
        "title": "Handbook",
        "page": 4,
        "start": 0,
        "end": len(first.content),
        "format": "md",
        "kind": "text",
    }
    assert second.meta["page"] == 5


def test_a_passage_knows_where_it_goes_on_on_another_page() -> None:
    builder = ExtractedBuilder()
    builder.add("paragraph", "The pump is started by hand.", page=3)
    builder.add("paragraph", "The limit is", page=4)
    builder.continue_last("40 bar.", page=5)
    builder.add("paragraph", "Stop it at once.", page=5)
    extracted = builder.build()
    (passage,) = passages(extracted)
    text = extracted.text
    turns = [text.index("The limit"), 4, text.index("40 bar"), 5]
    assert (passage.meta["page"], passage.meta["page_turns"]) == (3, turns)
    (evidence,) = EvidenceSelector().run("What is the limit?", [passage])["evidence"]
    for words, page in (("started", 3), ("limit", 4), ("40 bar", 5), ("Stop", 5)):
        at = evidence.text.index(words)
        assert cite(evidence, at, at + len(words), 1.0).page == page
    other = ExtractedBuilder()
    other.add("heading", "Of another document")
    other.add_extracted(extracted)
    (_, moved, *_) = other.build().blocks[1:]
    assert [page for _, page in moved.turns] == [5]
    assert other.build().text[moved.turns[0][0] :].startswith("40 bar")


def test_ids_are_the_same_again_and_differ_where_anything_differs() -> None:
    text = build(("paragraph", words(30)), ("paragraph", words(30)))
    ids = [d.id for d in passages(text)]
    assert ids == [d.id for d in passages(text)]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[0-9a-f]{32}", i) for i in ids)
    other = [d.id for d in passages(text, document="c.md")]
    retitled = [d.id for d in passages(build(("paragraph", words(30)), title="New"))]
    resized = [d.id for d in passages(text, max_tokens=50)]
    assert not set(ids) & {*other, *retitled, *resized}


def test_context_names_each_thing_once_and_not_what_the_content_opens_with() -> None:
    extracted = build(
        ("heading", "Leave", 1),
        ("heading", "Sick leave", 2),
        ("paragraph", words(40)),
        ("paragraph", words(40)),
        title="leave",
    )
    first, second = passages(extracted, 64)
    assert passage_context(first) == ""
    assert passage_context(second) == "leave > Sick leave"


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"document": "erp/excavator_work-orders.csv"}, "excavator work orders"),
        ({"document": "README.md", "headings": "Install"}, "Install"),
        ({"document": "a.xlsx", "title": "Costs", "sheet": "2024"}, "Costs > 2024"),
        ({"document": "a.xlsx", "title": "Costs", "sheet": "Sheet1"}, "Costs"),
        ({"document": "0001.txt"}, ""),
    ],
)
def test_context_falls_back_on_names_that_tell_something(
    meta: dict[str, str], expected: str
) -> None:
    assert passage_context(Document(content="text", meta=meta)) == expected


def test_a_long_context_keeps_the_title_and_the_nearest_headings() -> None:
    headings = " > ".join(f"{i} {words(12)}" for i in range(6))
    context = passage_context(
        Document(content="text", meta={"document": "a", "title": "Top", "headings": headings})
    )
    assert context.startswith("Top > ")
    assert f"5 {words(12)}" in context
    assert len(context) <= 256


def test_tokens_are_counted_in_few_calls() -> None:
    calls = []

    def counting(texts: Sequence[str]) -> list[int]:
        calls.append(len(texts))
        return count_tokens(texts)

    blocks = [("paragraph", words(n) + ". " + words(200)) for n in range(1, 60)]
    split(build(*blocks), root="/", document="a", format="md", max_tokens=64, count_tokens=counting)
    assert len(calls) <= 4


def test_an_empty_text_has_no_passages() -> None:
    assert passages(Extracted("", ())) == []


def test_a_limit_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        passages(build(("paragraph", "x")), max_tokens=8)


_TEXT = st.lists(
    st.sampled_from(
        ["pump", "valve.", "Dr.", "it", "The", "a1", "§", "x" * 90, "pressure,", "5.5"]
    ),
    min_size=1,
    max_size=70,
).map(" ".join)
_KINDS = ["paragraph", "list_item", "table_row", "caption", "footnote", "code", "property"]
_BLOCK = st.one_of(
    st.tuples(st.just("heading"), _TEXT.map(lambda t: t[:60]), st.integers(1, 4)),
    st.tuples(st.sampled_from(_KINDS), _TEXT, st.integers(0, 2)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_BLOCK, max_size=25), st.integers(16, 80), st.booleans())
def test_nothing_readable_is_lost_and_limits_hold(
    blocks: list[tuple[str, str, int]], max_tokens: int, rows: bool
) -> None:
    builder = ExtractedBuilder()
    for kind, text, level in blocks:
        columns = {"value": text} if rows and kind == "table_row" else None
        builder.add(kind, text, level=level, columns=columns)
    extracted = builder.build()
    found = passages(extracted, max_tokens)
    position = 0
    for document in found:
        start, end = document.meta["start"], document.meta["end"]
        assert start >= position
        assert not extracted.text[position:start].strip()
        assert document.content == extracted.text[start:end]
        assert document.content == document.content.strip()
        (tokens, context) = count_tokens([document.content, passage_context(document)])
        assert tokens + context <= max_tokens or tokens <= max_tokens // 2
        position = end
    assert not extracted.text[position:].strip()
    assert len({d.id for d in found}) == len(found)


def test_a_passage_knows_where_its_headings_and_lists_stand() -> None:
    builder = ExtractedBuilder()
    builder.add("heading", "Closing", level=1)
    for item in ("Count the till.", "Lock up."):
        builder.add("list_item", item)
    extracted = builder.build()
    (passage,) = passages(extracted)
    text = passage.content or ""

    def told(name: str) -> list[str]:
        flat = passage.meta[name]
        return [text[start:end] for start, end in zip(flat[::2], flat[1::2], strict=True)]

    assert told("headings_at") == ["Closing"]
    assert told("items_at") == ["Count the till.", "Lock up."]
    (evidence,) = EvidenceSelector().run("How do I close?", [passage])["evidence"]
    assert [text[s:e] for s, e in evidence.headings] == ["Closing"]
    assert [[text[s:e] for s, e in items] for items in evidence.lists] == [told("items_at")]


def test_a_list_that_goes_on_in_another_passage_is_not_whole() -> None:
    builder = ExtractedBuilder()
    builder.add("paragraph", "Bring:")
    for number in range(40):
        builder.add("list_item", f"thing number {number} that everybody has to bring along")
    found = passages(builder.build())
    assert len(found) > 1
    assert not any("items_at" in passage.meta for passage in found)
