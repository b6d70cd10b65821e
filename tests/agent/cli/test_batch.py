"""``expert batch`` over a small real index."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.workspace import Workspace

Expert = Callable[..., object]
LEAVE = "How many days of annual leave do full-time staff earn?"
PARK = "Where do visitors park?"


@pytest.fixture
def batch(expert: Expert, own_workspace: Workspace, word_answerer: object) -> Expert:
    """Run ``expert batch`` on lines; they go to ``in.jsonl`` and answers to ``out.jsonl``."""

    def run(lines: list[object], *arguments: str) -> object:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        Path("in.jsonl").write_text("".join(f"{text}\n" for text in texts))
        return expert(
            "--workspace",
            str(own_workspace.path),
            "batch",
            "in.jsonl",
            "-o",
            "out.jsonl",
            *arguments,
        )

    return run


def written(name: str = "out.jsonl") -> list[dict]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def test_answers_come_in_order_with_what_else_the_lines_hold(batch: Expert) -> None:
    done = batch(
        [
            {"question": LEAVE, "id": "a", "team": "hr", "answer": "25 days", "given": 1},
            {"question": "Who won the world cup in 1998?"},
            {
                "question": "And part-time staff?",
                "history": [{"question": LEAVE, "answer": "25 days."}],
                "route": "retrieval",
            },
        ]
    )
    assert (done.code, done.err) == (0, "")
    assert done.out == "2 answered, 1 withheld: out.jsonl\n"
    first, second, third = written()
    assert [first["id"], second["id"], third["id"]] == ["a", 2, 3]
    assert first["answer"] == "Full-time staff earn 25 days of annual leave a year."
    assert (first["team"], first["given"]) == ("hr", {"answer": "25 days", "given": 1})
    assert (second["answer"], second["abstained"]) == (None, True)
    assert third["answer"] is not None
    assert third["decision"] is None
    assert third["question"] == "And part-time staff?"
    assert "annual leave" in third["searched"]
    assert not Path("out.errors.jsonl").exists()


def test_bad_lines_are_kept_apart_with_their_reasons(batch: Expert) -> None:
    done = batch(
        [
            "{",
            {"id": 1},
            {"question": LEAVE, "route": "abstain"},
            {"question": LEAVE, "id": 9, "adapter": "nobody"},
            {"question": LEAVE, "id": "x"},
            {"question": PARK, "id": "x"},
            {"question": PARK, "history": [{"answer": "?"}]},
            [],
        ],
        "--json",
    )
    assert done.code == 1
    assert done.json == {
        **{"answered": 1, "abstained": 0, "failed": 7, "kept": 0},
        **{"output": "out.jsonl", "errors": "out.errors.jsonl"},
    }
    assert done.err == "expert: 7 lines could not be answered: out.errors.jsonl\n"
    reasons = {row["line"]: row["error"] for row in written("out.errors.jsonl")}
    assert reasons[1].startswith("not JSON: ")
    assert reasons[2] == "question: field required"
    assert reasons[3].startswith("route: input should be 'retrieval', ")
    assert "nobody" in reasons[4]
    assert reasons[6] == "id: line 5 has it already"
    assert reasons[7] == "history.0.question: field required"
    assert reasons[8].startswith("line: ")
    assert [row["id"] for row in written()] == ["x"]


def test_a_line_whose_number_is_the_id_of_another_is_told_so(batch: Expert) -> None:
    assert batch([{"question": LEAVE, "id": 2}, {"question": PARK}]).code == 1
    (row,) = written("out.errors.jsonl")
    assert row["error"] == "id: it has none, and line 1 has its number as id: give it one"


def test_a_second_run_goes_on_and_answers_nothing_twice(
    batch: Expert, word_answerer: object
) -> None:
    lines = [{"question": LEAVE}, {"question": PARK, "adapter": "nobody"}, {"question": PARK}]
    assert batch(lines[:2]).code == 1
    whole = Path("out.jsonl").read_text()
    # Cut off while it wrote.
    Path("out.jsonl").write_text(f'{whole}{{"id": 2, "ques')
    word_answerer.asked.clear()
    done = batch([lines[0], {"question": PARK}, lines[2]])
    assert (done.code, done.out) == (0, "2 answered, 0 withheld, 1 from before: out.jsonl\n")
    assert word_answerer.asked == [PARK, PARK]
    assert [row["id"] for row in written()] == [1, 2, 3]
    assert Path("out.jsonl").read_text().startswith(whole)
    assert not Path("out.errors.jsonl").exists()


def test_a_last_answer_that_lacks_only_its_end_of_line_is_kept(batch: Expert) -> None:
    assert batch([{"question": LEAVE}]).code == 0
    whole = Path("out.jsonl").read_text()
    Path("out.jsonl").write_text(whole.rstrip("\n"))
    done = batch([{"question": LEAVE}, {"question": PARK}])
    assert done.out == "1 answered, 0 withheld, 1 from before: out.jsonl\n"
    assert Path("out.jsonl").read_text().startswith(whole)
    assert [row["id"] for row in written()] == [1, 2]


@pytest.mark.parametrize(
    "changed",
    [
        {"history": [{"question": PARK, "answer": "There."}]},
        {"route": "hybrid"},
        {"adapter": "hr"},
        {"question": PARK},
    ],
)
def test_what_is_asked_otherwise_is_said_before_anything_is_asked(
    batch: Expert, word_answerer: object, changed: dict
) -> None:
    line = {"question": LEAVE, "id": "a", "history": [], "asked": "by Ann"}
    bad = {"question": PARK, "id": "bad", "adapter": "nobody"}
    assert batch([line, bad]).code == 1
    assert written()[0]["given"] == {"asked": "by Ann"}
    before, reasons = Path("out.jsonl").read_bytes(), Path("out.errors.jsonl").read_bytes()
    word_answerer.asked.clear()
    done = batch([{"question": PARK, "id": "b"}, {**line, **changed}])
    assert (done.code, word_answerer.asked) == (1, [])
    assert "answers id a as asked before, not as in.jsonl, line 2," in done.err
    assert Path("out.jsonl").read_bytes() == before
    assert Path("out.errors.jsonl").read_bytes() == reasons


def test_answers_of_another_route_are_not_taken_for_those_of_this_one(batch: Expert) -> None:
    assert batch([{"question": LEAVE}], "--route", "retrieval").code == 0
    before = Path("out.jsonl").read_bytes()
    for arguments in ((), ("--route", "retrieval", "--answerer", "phi3")):
        done = batch([{"question": LEAVE}], *arguments)
        assert done.code == 1
        assert "answers id 1 as asked before" in done.err
        assert Path("out.jsonl").read_bytes() == before
    kept = batch([{"question": LEAVE, "route": "retrieval"}])
    assert kept.out == "0 answered, 0 withheld, 1 from before: out.jsonl\n"


def test_answers_of_before_there_was_a_digest_are_kept(batch: Expert) -> None:
    assert batch([{"question": LEAVE}]).code == 0
    (row,) = written()
    del row["asked"]
    Path("out.jsonl").write_text(f"{json.dumps(row)}\n")
    done = batch([{"question": LEAVE, "route": "retrieval"}])
    assert done.out == "0 answered, 0 withheld, 1 from before: out.jsonl\n"


def test_a_file_of_something_else_is_never_taken_for_errors(
    batch: Expert, word_answerer: object
) -> None:
    for content in ("# Notes\n", '{"line": 1, "id": 5}\n', "[1]\n"):
        Path("notes.txt").write_text(content)
        done = batch([{"question": LEAVE}], "--errors", "notes.txt")
        assert (done.code, word_answerer.asked) == (1, [])
        assert "notes.txt has something else than errors: give another --errors" in done.err
        assert Path("notes.txt").read_text() == content
    os.mkfifo("pipe")
    assert batch([{"question": LEAVE}], "--errors", "pipe").code == 0
    assert Path("pipe").is_fifo()
    assert "there is no such folder" in batch([{"question": LEAVE}], "--errors", "no/x").err


def test_reasons_may_go_where_they_are_read_at_once(batch: Expert) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert batch(["{", {"question": LEAVE}], "--errors", "pipe").code == 1
        assert json.loads(os.read(reader, 60_000))["line"] == 1
    finally:
        os.close(reader)


def test_answers_go_into_a_file_only(batch: Expert) -> None:
    os.mkfifo("pipe")
    done = batch([{"question": LEAVE}], "-o", "pipe")
    assert (done.code, done.err) == (1, "expert: pipe: not a file; a run goes on from it\n")


def test_questions_may_come_from_a_pipe(own_workspace: Workspace, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agent", "--workspace", str(own_workspace.path)]
    command += ["batch", "/dev/stdin", "-o", str(tmp_path / "out.jsonl")]
    asked = f"{json.dumps({'question': LEAVE})}\n{json.dumps({'question': PARK})}\n"
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("2 answered, 0 withheld")


def test_a_number_that_is_too_long_stops_no_other_line(batch: Expert) -> None:
    done = batch([f'{{"question": "x", "n": {"1" * 5000}}}', {"question": LEAVE}])
    assert done.code == 1
    assert written("out.errors.jsonl")[0]["error"] == "not JSON: a number is too long"
    assert [row["id"] for row in written()] == [2]


@pytest.mark.parametrize(
    ("before", "arguments", "code", "said"),
    [
        ('{"id": 1, "question": "Another?"}\n', (), 1, "answers id 1 as asked before"),
        ("# Notes\n", (), 1, "out.jsonl, line 1: no answer of a batch"),
        ('{"of": "mine"}', (), 1, "line 1: no answer of a batch: remove that line, and run again"),
        ("", ("-o", "in.jsonl"), 2, "must be three files"),
        ("", ("-o", "no/such/out.jsonl"), 1, "no/such/out.jsonl: No such file"),
        ("", ("--route", "retrieval", "--adapter", "hr"), 2, "--adapter goes with"),
        ("", ("--route", "hybrid", "--answerer", "quote"), 2, "--answerer goes with"),
        ("", ("--route", "hybrid"), 1, "route hybrid needs an adapter"),
    ],
)
def test_what_does_not_fit_is_one_line_and_overwrites_nothing(
    batch: Expert, before: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    Path("out.jsonl").write_text(before)
    done = batch([{"question": LEAVE}], *arguments)
    assert done.code == code
    assert said in done.err
    assert Path("out.jsonl").read_text() == before


def test_ctrl_c_keeps_what_is_answered_and_the_same_command_goes_on(
    own_workspace: Workspace, tmp_path: Path
) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines = [json.dumps({"question": f"{LEAVE} {n}", "route": "retrieval"}) for n in range(150)]
    source.write_text("\n".join(lines))
    command = [sys.executable, "-m", "agent", "--workspace", str(own_workspace.path)]
    command += ["batch", str(source), "-o", str(target)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while run.poll() is None and not (target.exists() and target.stat().st_size):
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130, told
    assert "of 150; run the same command to go on." in told
    assert "Traceback" not in told
    before = target.read_text()
    assert 0 < before.count("\n") < 150
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (0, "")
    assert target.read_text().startswith(before)
    assert [json.loads(line)["id"] for line in target.read_text().splitlines()] == [*range(1, 151)]
