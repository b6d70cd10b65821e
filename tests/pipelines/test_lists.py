from dataclasses import replace

import pytest

from pipelines.evidence import Evidence
from pipelines.lists import ListSigns, asks_for_one, is_opposite, lists_of, load_list_calibration
from pipelines.sentences import sentence_spans


def piece(text: str, lists: list[list[str]], headings: tuple[str, ...] = ()) -> Evidence:
    """Return evidence with lists and headings at the places of these lines."""

    def place(line: str) -> tuple[int, int]:
        return text.index(line), text.index(line) + len(line)

    return Evidence(
        *("a.md", "1", None, "", 0, len(text), None, text, 0.8),
        sentences=tuple((start, end, 0.5) for start, end in sentence_spans(text)),
        headings=tuple(map(place, headings)),
        lists=tuple(tuple(map(place, items)) for items in lists),
    )


def told(one: Evidence) -> list[tuple[str, bool]]:
    return [(one.text[found.told_from : found.end], found.is_headed) for found in lists_of(one)]


def test_a_list_is_told_with_the_sentence_that_leads_into_it_but_not_its_heading() -> None:
    text = "Come early. Bring with you:\n\na pass\na lock\n\nRules\n\n1. Sweep.\n2. Lock up."
    one = piece(text, [["a pass", "a lock"], ["1. Sweep.", "2. Lock up."]], ("Rules",))
    assert told(one) == [
        ("Bring with you:\n\na pass\na lock", False),
        ("1. Sweep.\n2. Lock up.", True),
    ]
    first, second = lists_of(one)
    assert (first.heads, second.heads) == (" Bring with you:", "Rules")
    places = [text.index(word) for word in ("Come", "Bring", "a lock", "Rules", "2.")]
    assert [first.has(at) for at in places] == [False, True, True, False, False]
    assert [second.has(at) for at in places] == [False, False, False, True, True]


def test_without_what_leads_into_it_a_list_begins_with_its_first_item() -> None:
    assert told(piece("We are open.\n\na pass\na lock", [["a pass", "a lock"]])) == [
        ("a pass\na lock", False)
    ]


@pytest.mark.parametrize("items", [["one"], [f"item {number:02}" for number in range(16)]])
def test_one_item_or_very_many_are_not_told_as_a_list(items: list[str]) -> None:
    assert lists_of(piece("\n".join(items), [items])) == []


def test_a_very_long_list_is_not_told() -> None:
    items = [letter * 800 for letter in "ab"]
    assert lists_of(piece("\n".join(items), [items])) == []


@pytest.mark.parametrize(
    "question",
    [
        "How do I close the shop?",
        "how to close up",
        "What do I have to bring on my first day?",
        "Which safety rules are there in the workshop?",
        "what are the house rules",
        "What should visitors wear?",
        "Which documents do you need from me?",
        "steps for cleaning the tank",
        "what am I not supposed to bring?",
        "Which parts come off and get washed by hand?",
        "What is not allowed in the pool?",
        "What can't I bring to the pool?",
        "Can you tell me what to bring on my first day?",
        "Could you list the house rules?",
        "What's the routine at my station?",
    ],
)
def test_it_does_not_ask_for_one_thing(question: str) -> None:
    assert not asks_for_one(question)


@pytest.mark.parametrize(
    "question",
    [
        "What is the last thing to do when closing?",
        "What do I switch off last?",
        "How long are bikes kept?",
        "Do I need goggles?",
        "Who closes the shop?",
        "When do we do the stock list?",
        "What do I have to pay as an adult member?",
        "What are your opening hours?",
        "Is there a waiting list?",
        "What do adults need to pay?",
        "Which days are you open?",
        "What are the first two steps?",
        "What is the alarm code?",
        "what's our account number for parts",
        "Which contract number do I give?",
    ],
)
def test_it_asks_for_one_thing(question: str) -> None:
    assert asks_for_one(question)


@pytest.mark.parametrize(
    ("question", "lead", "opposite"),
    [
        ("How do I open the shop?", "To close the shop:", True),
        ("How do I close the shop?", "Closing", False),
        ("How do I open and close?", "Closing", False),
        ("What must be done before a guest arrives?", "When guests leave:", True),
        ("How do I switch the boiler on?", "To turn it off:", True),
        ("What do I have to bring?", "Bring:", False),
        ("How do I open the shop?", "Closing Do these in order:", True),
        ("What documents do I need for sick leave?", "To apply when you have joined:", False),
        ("What is in the first aid box?", "The box, last checked in May, contains:", False),
        ("What do I need after work?", "Before you go home:", False),
        ("What is not allowed in the pool?", "Allowed in the pool:", True),
        ("Which items are not permitted?", "Prohibited items:", False),
        ("What isn't permitted?", "Prohibited items:", False),
        ("What can't I bring to the pool?", "Allowed in the pool:", True),
        ("Which things aren't allowed in the pool?", "Not allowed in the pool:", False),
        ("What do I bring when I arrive?", "Repairs department On your visit:", False),
    ],
)
def test_a_list_for_the_opposite_is_not_meant(question: str, lead: str, opposite: bool) -> None:
    assert is_opposite(question, lead) is opposite


def test_a_very_long_question_is_looked_at_in_good_time() -> None:
    assert not asks_for_one("what do I need to do " * 20_000)
    assert not is_opposite("turn " * 20_000, "To turn it off:")


def test_what_speaks_for_a_whole_list_and_what_for_one_item() -> None:
    calibration = load_list_calibration()
    signs = ListSigns(
        asks_for_one=False,
        met=0.7,
        item_met=0.5,
        best=-3.0,
        mean=-3.5,
        ahead=0.5,
        other=-3.0,
        place=0.0,
        has_lead=False,
    )

    def sure(signs: ListSigns) -> float:
        return calibration.signs.probability(signs.features())

    assert sure(signs) > calibration.threshold
    assert sure(replace(signs, met=0.4)) < calibration.threshold
    assert sure(replace(signs, item_met=0.95)) < calibration.threshold
    assert sure(replace(signs, asks_for_one=True)) < sure(signs)
    assert sure(replace(signs, mean=-9.0)) < sure(signs)
    assert sure(replace(signs, ahead=4.0)) < sure(signs)
    assert sure(replace(signs, other=2.0)) < sure(signs)
