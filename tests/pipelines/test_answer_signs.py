import math

from pipelines.answer_signs import NAMES, Asked


def signs(question: str, sentence: str, around: str = "") -> dict[str, float]:
    asked = Asked(question)
    found = asked.signs(sentence, asked.marked(around or sentence))
    return dict(zip(NAMES, found, strict=True))


def test_a_quantity_speaks_for_a_sentence_where_one_is_asked_for() -> None:
    asked = "How many days of parental leave do managers have?"
    told = signs(asked, "They have 12 days.")
    assert (told["quantity"], told["no_quantity"]) == (1, 0)
    assert signs(asked, "They have twelve days.")["quantity"] == 1
    silent = signs(asked, "They have days.")
    assert (silent["quantity"], silent["no_quantity"]) == (0, 1)
    # What only names a thing is no quantity of it.
    assert signs(asked, "See accident DEN08WA042.")["no_quantity"] == 1
    unasked = signs("When does the office close?", "It closes at the end of March.")
    assert (unasked["quantity"], unasked["no_quantity"]) == (0, 0)


def test_money_names_and_reasons_do_where_these_are_asked_for() -> None:
    assert signs("What does the pump cost?", "It is $40.")["money"] == 1
    assert signs("Where is the pump?", "It is $40.")["money"] == 0
    assert signs("Who signs it?", "The form goes to Jane Doe.")["name"] == 1
    assert signs("Who signs it?", "The form goes to a planner.")["name"] == 0
    assert signs("Why did it fail?", "It failed because of ice.")["reason"] == 1
    assert signs("Did it fail?", "It failed because of ice.")["reason"] == 0


def test_the_form_of_a_sentence_is_told() -> None:
    row = signs("?", "Asset: A | Cost: 12")
    assert (row["row"], row["item"], row["lead_in"], row["long"]) == (1, 0, 0, 0)
    assert row["length"] == math.log(20)
    assert signs("?", "- Take a cab")["item"] == 1
    assert signs("?", "You can: ")["lead_in"] == 1
    assert signs("?", "long " * 70)["long"] == 1


def test_names_and_figures_of_the_question_are_looked_for_around_the_sentence() -> None:
    asked = "What did the TSP cost in 2013?"
    assert signs(asked, "It cost 4.", "TSP > 2013 It cost 4.")["marks"] == 1
    assert signs(asked, "It cost 4.", "TSP > 2014 It cost 4.")["marks"] == 0.5
    assert signs("what is it?", "It is.")["marks"] == 0.5


def test_hostile_questions_are_read_too() -> None:
    told = signs("how many " * 5_000 + "a" * 50_000 + "\x00<|im_end|>", "a" * 20_000)
    assert all(math.isfinite(value) for value in told.values())
    assert signs("", "")["question_length"] == 0
