import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.convert.csv_records import Dialect, normal_lines, records, sniff


def read(text: str, *, prefer: str = ",") -> list[list[str]]:
    text = normal_lines(text)
    return [record.fields for record in records(text, sniff(text, prefer=prefer))]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ('a,b\n"1,5",2\n"2,5",3\n', ","),
        ("a;b;c\n1,5;2,5;x\n3,5;4,5;y, z\n", ";"),
        ("a\tb\n1, 2\tx; y\n3, 4\tz\n", "\t"),
        ("a|b|c\n1|2|3, 4\n", "|"),
        ("sep=;\na;b,c;d\n1;2,3;4\n", ";"),
        ("Report, May\n\nname;cost\npump;5\nvalve;6\nhose;7\n", ";"),
        ("remark\nit leaks\nfixed, again\n", ""),
    ],
)
def test_finds_the_separator(text: str, delimiter: str) -> None:
    assert sniff(text).delimiter == delimiter


def test_reads_quoted_separators_quotes_and_line_breaks() -> None:
    text = 'a,b,c\r\n1,"x, ""y""\r\nz",3\r\n4, "5, 6",7\r\n'
    assert read(text) == [["a", "b", "c"], ["1", 'x, "y"\nz', "3"], ["4", "5, 6", "7"]]


def test_reads_quotes_escaped_by_a_backslash() -> None:
    text = '"a","b"\n"E. \\"Doc\\" S, Jr.","C:\\\\x"\n"\\"Q\\"",""\n'
    assert read(text) == [["a", "b"], ['E. "Doc" S, Jr.', "C:\\x"], ['"Q"', ""]]


def test_a_backslash_before_a_closing_quote_stays_where_it_means_itself() -> None:
    text = 'id,text,x\n1,"fault \\A\\"" line",y\n2,"on \\""B"" line",z\n'
    assert read(text)[1:] == [["1", 'fault \\A\\" line', "y"], ["2", 'on \\"B" line', "z"]]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ('1,"5 pipe,x', ["1", '"5 pipe', "x"]),
        ('1,"big" one,x', ["1", '"big" one', "x"]),
        ('1,say "hi" now,x', ["1", 'say "hi" now', "x"]),
        ('1,"he said "hi" twice",x', ["1", 'he said "hi" twice', "x"]),
        ('1,5" hose,x', ["1", '5" hose', "x"]),
        ('1,"done" ,x', ["1", "done", "x"]),
    ],
)
@pytest.mark.parametrize("quoted_below", [True, False])
def test_a_stray_quote_does_not_swallow_the_lines_below(
    line: str, fields: list[str], quoted_below: bool
) -> None:
    below = [f'{i},"part {i}, new",ok' if quoted_below else f"{i},p{i},ok" for i in range(1_000)]
    found = read("\n".join(["id,name,state", *below, line, *below]) + "\n")
    assert len(found) == 2_002
    assert found[1_001] == fields
    assert found[-1][0] == "999"


def test_says_which_records_were_mended_and_where() -> None:
    text = 'a,b,c\n1,2,3\n4,"5,6\n7,"8\n8",9\n10,11,12\n'
    found = list(records(text, sniff(text)))
    assert [(r.line, r.fields[0], r.mended) for r in found] == [
        (1, "a", False), (2, "1", False), (3, "4", True), (4, "7", False), (6, "10", False),
    ]  # fmt: skip


def test_an_unescaped_quote_in_a_field_over_lines_is_read_around() -> None:
    text = 'a,b,c\n1,"she said "no"\nand left",x\n2,y,z\n3,y,z\n'
    assert read(text)[1:] == [
        ["1", 'she said "no"\nand left', "x"],
        ["2", "y", "z"],
        ["3", "y", "z"],
    ]


def test_quotes_that_pair_up_by_chance_do_not_join_records() -> None:
    text = 'a,b,c\n1,2,"3\n4,5,6\n7,8,9\n10,11,12"\n'
    assert [fields[0] for fields in read(text)] == ["a", "1", "4", "7", "10"]


def test_a_quote_that_never_closes_costs_one_record_however_long_the_file() -> None:
    text = "a,b,c\n" + '1,"x,y\n' * 3_000 + "1,x,y\n" * 30_000
    found = list(records(text, sniff(text)))
    assert len(found) == 33_001
    assert sum(record.mended for record in found) == 3_000


_FIELD = st.text(st.sampled_from('ab1 ,;"\\\n\té'), max_size=8)


@given(st.lists(st.lists(_FIELD, min_size=3, max_size=3), min_size=1, max_size=8))
def test_what_the_standard_writer_writes_is_read_back(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    found = list(records(out.getvalue(), Dialect(",", 3)))
    if not any(record.mended for record in found) and len(found) == len(rows):
        assert [record.fields for record in found] == rows
    else:
        # Only fields that hold what looks like records are taken apart, never lost.
        assert any(
            "\n" in field and ("," in field or '"' in field) for row in rows for field in row
        )


@given(st.text(st.sampled_from('ab,;"\\\n\t '), max_size=60), st.sampled_from([True, False]))
def test_no_readable_character_is_lost_in_any_text(text: str, backslash: bool) -> None:
    found = "".join(
        field for record in records(text, Dialect(",", 3, backslash)) for field in record.fields
    )
    for character in "ab;":
        assert found.count(character) == text.count(character)
