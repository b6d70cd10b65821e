import json
from pathlib import Path

import pytest

from agent.follow_up import Turn, is_follow_up, standalone
from pipelines.convert import convert_file
from pipelines.split import split
from pipelines.stores.sqlite import SqliteDocumentStore
from pipelines.tables import Tables
from pipelines.tables.answer import TableAnswerer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LEAVE = Turn(
    "How many days of annual leave do full-time staff earn?",
    "How many days of annual leave do full-time staff earn?",
    "Full-time staff earn 25 days of annual leave a year.",
    "25 days",
)


@pytest.mark.parametrize(
    ("question", "searched"),
    [
        ("And part-time staff?", "And part-time staff? (days annual leave full-time earn)"),
        ("Who approves it?", "Who approves it? (days annual leave full-time staff earn 25)"),
        ("How long?", "How long? (days annual leave full-time staff earn)"),
        ("What about sick leave?", "What about sick leave? (days annual full-time staff earn)"),
        ("Does that also apply to interns?", None),
        ("Is there one for visitors?", None),
        ("What is the deadline?", None),
        ("How many days do I get?", None),
        ("Who signs?", None),
        ("Which day is that?", None),
        ("Why?", None),
    ],
)
def test_a_question_that_leans_on_the_last_one_gets_its_topic(
    question: str, searched: str | None
) -> None:
    completed = standalone(question, [LEAVE])
    assert completed.startswith(f"{question} (")
    assert searched in (None, completed)
    assert "annual" in completed


@pytest.mark.parametrize(
    "question",
    [
        "How do I report a broken laptop to the help desk?",
        "Is there a dress code?",
        "how long is probation",
        "How much holiday do I get?",
        "Do we have pensions?",
        "There's a rat in the kitchen, whom do I call?",
        "What is telework?",
        "Who was Roosevelt?",
        "What does GSA stand for?",
        "I think my laptop got hacked. Should I shut it down right away?",
        "Which structural parts turned out deformed once the crew looked over the plane that burned?",
    ],
)
def test_a_question_that_stands_alone_stays_as_it_is(question: str) -> None:
    assert standalone(question, [LEAVE]) == question


def test_the_first_question_is_never_a_follow_up() -> None:
    assert standalone("And why is it so?", []) == "And why is it so?"


def test_a_topic_is_carried_over_several_turns() -> None:
    second = standalone("Who approves it?", [LEAVE])
    history = [LEAVE, Turn("Who approves it?", second, "Jane Doe does.", "Jane Doe")]
    third = standalone("And when is she away?", history)
    assert "annual leave" in third
    assert "Jane Doe" in third


def test_a_long_answer_is_no_topic() -> None:
    long = Turn("Why is overtime paid?", "Why is overtime paid?", "x", " ".join(["word"] * 20))
    assert "word" not in standalone("And when?", [long])


def test_a_question_with_nothing_to_lean_on_stays_as_it_is() -> None:
    assert standalone("And why?", [Turn("Why?", "Why?")]) == "And why?"


def test_a_topic_stays_short() -> None:
    long = "topic " + " ".join(f"word{number}" for number in range(1000))
    assert len(standalone("And why?", [Turn(long, long)]).split()) <= 14


def test_questions_that_stand_alone_are_seldom_taken_for_follow_ups() -> None:
    questions = [
        json.loads(line)["question"]
        for path in EXAMPLES.glob("*/questions.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    mistaken = [question for question in questions if is_follow_up(question)]
    assert len(questions) > 300
    assert len(mistaken) / len(questions) < 0.05, mistaken


STAFF = """Name,Department,Salary,Hire Date,Remote,City
Anna,Sales,52000,2019-04-01,yes,Berlin
Bob,Sales,48000,2020-09-15,no,Paris
Cara,Engineering,75000,2018-01-10,yes,Berlin
Dan,Engineering,82000,2021-06-01,no,London
Gina,HR,50000,2022-02-01,no,Berlin
"""


@pytest.fixture(scope="module")
def staff(tmp_path_factory: pytest.TempPathFactory) -> TableAnswerer:
    folder = tmp_path_factory.mktemp("staff")
    (folder / "employees.csv").write_text(STAFF)
    store = SqliteDocumentStore(folder / "passages.sqlite")
    store.write_documents(
        split(
            convert_file(folder / "employees.csv"),
            root="r",
            document="employees.csv",
            format="csv",
            max_tokens=192,
            count_tokens=lambda texts: [len(text) // 3 for text in texts],
        )
    )
    return TableAnswerer(Tables(store))


@pytest.mark.parametrize(
    ("last", "question", "answer"),
    [
        (
            "What is the average salary of employees who are not remote?",
            "In Berlin?",
            "The average Salary is 50,000.00, of 1 employee where City is Berlin and Remote is false.",
        ),
        (
            "What is the average salary of employees not in Sales?",
            "in Berlin?",
            "The average Salary is 62,500.00, of 2 employees where City is Berlin and Department is not Sales.",
        ),
        (
            "How many employees have a salary over 60000?",
            "How many in Berlin?",
            "1 employee where City is Berlin and Salary is over 60000.",
        ),
        (
            "How many employees are in Sales?",
            "How many are not remote?",
            "1 employee where Remote is false and Department is Sales.",
        ),
        (
            "How many employees are there in Berlin?",
            "And in Paris?",
            "1 employee where City is Paris.",
        ),
        (
            "How many employees in Sales are in Paris?",
            "What about Berlin?",
            "1 employee where Department is Sales and City is Berlin.",
        ),
        (
            "What is the average salary in Berlin?",
            "In Paris?",
            "The average Salary is 48,000.00, of 1 employee where City is Paris.",
        ),
        (
            "How many employees were hired between 2019 and 2021?",
            "And in 2022?",
            "1 employee where Hire Date is in 2022.",
        ),
        (
            "How many employees hired after 2018 have a salary over 50000?",
            "And over 60,000?",
            "1 employee where Hire Date is after 2018 and Salary is over 60000.",
        ),
        (
            "Which department has the most employees?",
            "And the fewest?",
            "HR (Department): 1 employees.",
        ),
        (
            "What is the average salary in Berlin?",
            "And what is the maximum?",
            "The highest Salary is 75000 (Name Cara), of 3 employees where City is Berlin.",
        ),
    ],
)
def test_a_follow_up_to_a_count_is_made_of_whole_words(
    staff: TableAnswerer, last: str, question: str, answer: str
) -> None:
    completed = standalone(
        question, [Turn(last, last)], lambda text: staff.read(text).query is not None
    )
    found = staff.answer(completed)
    assert found is not None
    assert found.answer.text == answer


@pytest.mark.parametrize(
    ("last", "question"),
    [
        ("What is the average salary of former employees?", "In Berlin?"),
        ("How many employees have no salary over 60000?", "How many remote?"),
        (
            "What is the average salary of employees hired after 2018 and before 2021?",
            "And in 2022?",
        ),
        ("How many employees are not remote in Berlin?", "And not in 2021?"),
    ],
)
def test_a_follow_up_that_would_lose_a_word_is_not_counted(
    staff: TableAnswerer, last: str, question: str
) -> None:
    completed = standalone(
        question, [Turn(last, last)], lambda text: staff.read(text).query is not None
    )
    assert staff.answer(completed) is None


def test_what_was_searched_without_a_word_is_not_counted_later(staff: TableAnswerer) -> None:
    history = [Turn("Why are employees not remote?", "Why are employees not remote?")]
    for question in ("In Berlin?", "How many employees?"):
        completed = standalone(question, history, lambda text: staff.read(text).query is not None)
        history.append(Turn(question, completed))
    assert history[1].searched == "In Berlin? (employees remote)"
    assert history[2].searched == "How many employees?"


def test_a_follow_up_to_a_question_for_the_documents_is_as_without_tables(
    staff: TableAnswerer,
) -> None:
    question = "And part-time staff?"
    completed = standalone(question, [LEAVE], lambda text: staff.read(text).query is not None)
    assert completed == standalone(question, [LEAVE])


def test_a_follow_up_after_a_long_question_is_not_tried_in_every_place() -> None:
    long = "How many employees are " + "in Berlin " * 1000
    tried: list[str] = []
    standalone("And in Paris?", [Turn(long, long)], lambda text: bool(tried.append(text)))
    assert len(tried) == 1
