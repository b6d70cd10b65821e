"""``expert eval`` over a small real index, and by a real adapter."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.intake import import_adapter
from adapters.lab import lab_model
from adapters.models import find_local
from adapters.registry import Registry
from agent.workspace import Workspace

Expert = Callable[..., object]
EXAMPLES = Path(__file__).parents[3] / "examples"
LEAVE = "How many days of annual leave do full-time staff earn?"
PARK = {"question": "Where do visitors park?", "accepted": ["north gate"]}
LINES = [
    {"question": LEAVE, "accepted": ["25 days"], "answer": "25 days.", "kind": "lookup"},
    {
        "question": "Until when?",
        "history": [{"question": "What of unused leave?", "answer": "It is carried over."}],
        "accepted": ["until March"],
        "kind": "lookup",
    },
    {"question": "Where do visitors park?", "answer": "Behind the north gate of the warehouse."},
    {"question": "Who won the world cup in 1998?", "kind": "open"},
]


@pytest.fixture
def measure(expert: Expert, own_workspace: Workspace) -> Expert:
    """Run ``expert eval`` on lines, which go to ``suite.jsonl``."""

    def run(lines: list[object], *arguments: str) -> object:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        Path("suite.jsonl").write_text("".join(f"{text}\n" for text in texts))
        return expert("--workspace", str(own_workspace.path), "eval", "suite.jsonl", *arguments)

    return run


@pytest.mark.usefixtures("word_answerer")
def test_every_way_of_the_workspace_is_measured(measure: Expert, own_workspace: Workspace) -> None:
    done = measure(LINES, "--json")
    assert (done.code, done.err) == (0, "")
    assert (done.json["suite"], done.json["questions"]) == ("suite.jsonl", 4)
    assert list(done.json["ways"]) == ["router", "retrieval"]
    found = done.json["ways"]["retrieval"]
    assert (found["questions"], found["unanswerable"], found["failed"]) == (4, 1, 0)
    # The follow-up is known by its history alone.
    assert found["right"] == 1
    assert found["kinds"] == {"lookup": 1, "open": 1}
    assert (found["withheld"], found["falsely_withheld"], found["abstention_f1"]) == (1, 0, 1)
    assert (found["citation_precision"], found["citation_recall"]) == (1, 1)
    assert (found["grounded"], found["cost"]) == (1, 1)
    assert 0.3 < found["similarity"] < 1
    assert found["prompt_tokens"] == 7 * 3 / 4
    low, high = found["f1_interval"]
    assert low <= found["f1"] <= high
    assert set(done.json["compared"]) == {"router", "retrieval"} - {done.json["best"]}
    assert done.json["report"] == str(own_workspace.path / "runs/eval-suite.html")
    assert done.json["verdict"] in Path(done.json["report"]).read_text()
    assert not (own_workspace.path / "runs/traces.sqlite").exists()


@pytest.mark.usefixtures("word_answerer")
def test_a_table_a_verdict_and_the_report_are_shown(measure: Expert) -> None:
    done = measure(LINES, "--routes", "retrieval", "--limit", "2", "--report", "here.html")
    assert (done.code, done.err) == (0, "")
    assert "2 questions, 0 without an answer " in done.out
    assert "Always retrieval: right on 100.0% of 2 questions." in done.out
    assert done.out.endswith("Report: here.html\n")
    assert Path("here.html").is_file()


@pytest.mark.usefixtures("word_answerer")
def test_bad_lines_are_named_and_the_others_asked(measure: Expert) -> None:
    done = measure(["{", {"question": LEAVE, "history": [{}]}, LINES[0]], "--routes", "retrieval")
    assert done.code == 1
    assert "suite.jsonl: line 1: not JSON" in done.err
    assert "suite.jsonl: line 2: history.0.question: field required; left out" in done.err
    assert "right on 100.0% of 1 questions" in done.out


@pytest.mark.usefixtures("word_answerer")
def test_no_text_reaches_the_terminal_raw(measure: Expert) -> None:
    evil = {"question": LEAVE, "accepted": ["25 days"], "kind": "\x9b31m\ud83d", "answer": "\ud83d"}
    done = measure([evil], "--routes", "retrieval", "--json")
    assert (done.code, done.err) == (0, "")
    assert "\x9b" not in done.out
    assert list(done.json["ways"]["retrieval"]["kinds"]) == ["\x9b31m\ud83d"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--routes", "router,fast"), 2, "'fast' is none of router, retrieval, expert, hybrid"),
        (("--routes", "router,hybrid"), 1, "route hybrid needs an adapter: `expert train`"),
        (("--report", "no/report.html"), 1, "cannot write no/report.html: no such folder"),
        (("--limit", "0"), 2, "--limit"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_asked(
    measure: Expert, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = measure(LINES, *arguments)
    assert done.code == code
    assert said in done.err


def test_an_empty_workspace_is_told_to_be_filled(expert: Expert) -> None:
    Path("suite.jsonl").write_text(json.dumps(LINES[0]))
    done = expert("eval", "suite.jsonl")
    assert done.code == 1
    assert "run `expert index PATH` first" in done.err


@pytest.mark.usefixtures("word_answerer")
def test_an_adapter_is_measured_beside_the_documents(
    measure: Expert, own_workspace: Workspace
) -> None:
    lab_model()
    registry = Registry(own_workspace.adapters_folder)
    import_adapter(registry, EXAMPLES / "hr/adapter", find_local("lab"))
    marrow = {
        "question": "I am giving bone marrow, how many days am I excused?",
        "accepted": ["7 days"],
    }
    done = measure([marrow, PARK], "--json", "--routes", "expert,router")
    assert (done.code, done.err) == (0, "")
    # In the order in which they are always listed.
    assert list(done.json["ways"]) == ["router", "expert"]
    assert done.json["best"] == "router"
    assert done.json["ways"]["router"]["right"] == 1
    expert = done.json["ways"]["expert"]
    assert expert["right"] == 0.5
    assert expert["prompt_tokens"] > 0
    assert "grounded" not in expert
    assert measure([marrow, PARK], "--routes", "hybrid", "--limit", "1").code == 0
