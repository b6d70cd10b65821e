import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sentences import sentence_spans

# "|" marks where one sentence ends and the next begins.
CASES = [
    "The pump failed. |It was replaced.",
    "Dr. Smith examined Mr. Jones. |He was well.",
    "Use a solvent, e.g. Acetone or alcohol. |Wipe it dry.",
    "See Fig. 3 for the layout. |Tighten No. 12 first.",
    "It is covered by Sec. 4 and App. B of the manual. |Read both.",
    "No. |We never do that.",
    "He works for Acme Inc. in Ohio. |She does not.",
    "He works for Acme Inc. |The firm is old.",
    "Acme Inc. Chairman John Smith spoke.",
    "The U.S. Government pays. |Ask it.",
    "They moved to the U.S. |They like it there.",
    "J. R. R. Tolkien wrote it. |C. S. Lewis did not.",
    "The flight left on Jan. 5 at noon. |It landed on Sept. 12, 2019.",
    "It opens at 9 a.m. Monday to Friday. |It closes at 5 p.m. |Guests must leave.",
    "Take off at 7 a.m. Eastern. |Land by ten.",
    "Pressure is 3.5 bar. |At 1,250.75 hours it stops.",
    "See https://example.com/a.b?c=d. |Then call us.",
    "Write to a.smith@example.co.uk. |Wait for an answer.",
    "Does it leak? |Check the hose! |Then stop.",
    'He said "Stop." |Then he left.',
    '"Is it safe?" he asked. |"Yes."',
    "“Close the valve.” |The crew did.",
    "It broke (again). |Nobody knew why.",
    "(See the notes.) |The rest follows.",
    "It rained... |The road was closed.",
    "Well… maybe later. |Or not.",
    "wait... what happened? |nothing.",
    "1. Open the cap. |2. Drain the oil. |3. Close the cap.",
    "Proceed as follows: 1. Open the cap. |2. Close it.",
    "a. Remove the guard. |b. Clean the blade.",
    "Heading without a stop\n|Its text follows. |More text.",
    "• first item\n|• second item. |With more\n|• third",
    "Smith et al. (2010) found it. |Others did not.",
    "It was shown by Smith et al. |The effect is small.",
    "Screws, bolts, nuts, etc. are listed. |Bring tools, rags, etc. |You will need them.",
    "There are two kinds of hepatitis B. |Hepatitis C is another.",
    "It is rich in vitamin C. |Eat more of it.",
    "John Smith Jr. arrived. |She left with John Smith Jr. |He drove.",
    "She holds a Ph.D. in physics. |He has an M.D. from Yale.",
    "The rule is in 5 C.F.R. § 630.201. |Agencies follow it.",
    "The city grew.[1] |It shrank later.[2][3] |Then it grew.",
    "The seal failed.|The pump was stopped. |It was old.",
    "It is 12 ft. wide and 3 in. deep. |It weighs 5 lbs. |Lift it carefully.",
    "The door is 5 ft. |The wall is 8 ft. |They match.",
    "They live on Main St. |The house in Ft. Worth was sold.",
    "The captain vs. the crew. |A draw.",
    "Lt. Col. Brown and Gen. Lee met in St. Louis. |They talked.",
    "Visit Node.js for more. |Python 3.11 is needed.",
    "泵坏了。|请更换它！|好的。",
    "It was made by Toyota Motor Corp. and sold in Washington, D.C. |It is red.",
    "Is it v. 2 or v. 3? |Nobody knows.",
    "What?! |Really?? |Yes.",
    "He asked: Why? |Because.",
    "The N. Y. Times printed it. |We read it.",
    "Read pp. 12–14 and vol. II of it. |Then rest.",
    "The list is long: A. Smith, B. Jones and C. Brown. |All came.",
    "He played the sonatas (Op. 35, written in 1839 by F. Chopin). |They are hard.",
    "The court ruled in Reid v. Covert that it does. |That settled it.",
    "It was laid in 1909.[citation needed] |Then it broke.",
    "“Why?” |“Because I said so.”",
]


@pytest.mark.parametrize("marked", CASES)
def test_splits_where_a_reader_would(marked: str) -> None:
    expected = [part.strip() for part in marked.split("|")]
    text = marked.replace("|", "")
    assert [text[start:end] for start, end in sentence_spans(text)] == expected


def test_a_tables_row_is_one_sentence() -> None:
    row = "Part: Alarm | Note: It failed. The fuse was replaced. | Cost: 248.66 | By: J. Smith."
    text = f"The log. See below.\n{row}\nNot a row. Nor this."
    told = [text[start:end] for start, end in sentence_spans(text)]
    assert told == ["The log.", "See below.", row, "Not a row.", "Nor this."]


def test_a_long_row_is_told_by_its_sentences() -> None:
    note = "The pump failed again on that day. " * 12
    text = f"Part: Pump | Note: {note}| Cost: 5"
    assert len(sentence_spans(text)) == 13


@given(
    st.lists(
        st.one_of(
            st.text(max_size=12),
            st.sampled_from(
                [". ", "? ", "...", "\n", " ", "Dr.", "U.S. ", '." ', "1. ", "A", "。", " | "]
            ),
        ),
        max_size=40,
    )
)
def test_spans_cover_every_readable_character_in_order(parts: list[str]) -> None:
    text = "".join(parts)
    position = 0
    for start, end in sentence_spans(text):
        assert position <= start < end
        assert not text[position:start].strip()
        sentence = text[start:end]
        assert sentence == sentence.strip()
        assert "\n" not in sentence
        position = end
    assert not text[position:].strip()


@pytest.mark.parametrize("unit", [".", "!)", " ", '."', "\n", "a. ", "([", "No. ", "x. | "])
def test_hostile_repetition_stays_linear(unit: str) -> None:
    # Quadratic matching of 400,000 repetitions would run into the suite's time limit.
    text = unit * 400_000
    spans = sentence_spans(text)
    assert sum(end - start for start, end in spans) <= len(text)
