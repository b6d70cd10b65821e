"""``expert train``: what it says of data, what it refuses, and an adapter in the registry."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.card import AdapterCard
from adapters.errors import AdapterError
from adapters.training.progress import Progress
from agent.cli.train_display import Lines, duration

Run = Callable[..., SimpleNamespace]
FAST = ("--method", "lora", "--rank", "2", "--epochs", "2", "--batch-tokens", "64")


@pytest.fixture
def model(tiny_model: Path) -> Path:
    return tiny_model


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    path = tmp_path / "rooms.jsonl"
    rows = [
        {"question": f"Room {n}?", "answer": f"Floor {n}.", "domain": "rooms"} for n in range(20)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_dry_run_says_what_would_be_trained_and_what_not(
    expert: Run, model: Path, rooms: Path
) -> None:
    with rooms.open("a") as file:
        file.write(
            '{"question": "Room 3?", "answer": "floor 3"}\n{"question": "", "answer": "x"}\n'
        )
        file.write('{"question": "Room 30?", "answer": "%s"}\n' % ("y" * 5000))

    found = expert("train", "rooms", str(rooms), "--model", str(model), "--dry-run")

    assert found.code == 0
    assert found.out.splitlines() == [
        "18 examples to learn from, 2 to measure on, 3 left out:",
        f"  {rooms}: line 21: asks and answers the same as line 4",
        f"  {rooms}: line 22: question: is empty",
        f"  {rooms}: line 23: answer: takes 5,000 tokens of the model's 4,096: shorten it",
    ]
    assert found.err == (
        "expert: 20 examples: fine-tuning rarely pays under about 200; "
        "retrieval will serve better\n"
    )
    assert not Path(".expert").exists()


def test_no_text_of_the_data_commands_a_terminal(expert: Run, model: Path, rooms: Path) -> None:
    shout = "\x1b]0;done\x07\x9b31mred"
    rows = [
        {"question": "Room 50?", "answer": "Floor 5.", "domain": shout},
        {"question": "Room 51?", "answer": "Floor 5.", "source_documents": [f"{shout}.md"]},
        {"question": "Room 52?", "answer": "Floor 5.", shout: "x"},
        {"question": shout, "answer": shout * 5000},
    ]
    with rooms.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    arguments = ("train", "rooms", str(rooms), "--model", str(model), "--dry-run")
    arguments += ("--eval-split", "0")

    found = expert(*arguments)
    told = expert(*arguments, "--json")

    assert found.code == told.code == 0
    for text in (found.out, found.err, told.out, told.err):
        assert not {"\x1b", "\x07", "\x9b"}.intersection(text)
    assert any(shout in warning for warning in told.json["warnings"])


def test_a_damaged_version_is_trained_anew_and_a_damaged_registry_is_said_first(
    expert: Run, model: Path, rooms: Path
) -> None:
    version = Path(".expert/adapters/rooms/0001")
    version.mkdir(parents=True)
    (version / "adapter_card.json").write_text("{}")
    arguments = ("train", "rooms", str(rooms), "--model", str(model), "--dry-run")
    assert expert(*arguments).code == 0
    (version.parent / "current").write_text("{")
    found = expert(*arguments)
    assert (found.code, found.out) == (1, "")
    assert "current is damaged: remove it, and the newest version is used" in found.err


def test_a_dry_run_as_json(expert: Run, model: Path, rooms: Path) -> None:
    eval_file = rooms.with_name("eval.csv")
    eval_file.write_text("question,answer\nroom 3,Floor 3.\nWho leads?,Ann.\n")

    found = expert(
        "train", "rooms", str(rooms), "--model", str(model), "--dry-run", "--json",
        "--eval", str(eval_file),
    ).json  # fmt: skip

    assert (found["examples"], found["held_out"], found["adapter"]) == (20, 1, None)
    assert found["left_out"] == [
        {
            "path": str(eval_file),
            "line": 2,
            "field": "question",
            "message": f"is trained on too, in line 4 of {rooms}",
        }
    ]
    assert found["passages"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--strict",), 1, "20 examples: fine-tuning rarely pays under about 200"),
        (("--with-retrieval",), 1, "nothing is indexed in workspace .expert: run `expert index"),
        (("--eval", "gone.csv"), 1, "gone.csv: no such file or directory"),
        (("--eval", "x.csv", "--eval-split", "0.2"), 2, "--eval and --eval-split exclude"),
        (("--resume", "--anew"), 2, "--resume and --anew exclude each other"),
        (("--epochs", "0"), 1, "epochs is 0.0: give more than 0"),
        (("--seed", "4294967296"), 1, "seed is 4294967296: give at most 4294967295"),
        (("--alpha", "1e9"), 1, "alpha is 1000000000.0: give less than 1,000,000,000"),
        (("--eval-split", "nan"), 2, "nan is not a number"),
        (("--with-retrieval", "--gold-share", "nan"), 2, "nan is not a number"),
        (("--model", "no-such-folder"), 1, "no-such-folder"),
    ],
)
def test_what_cannot_be_trained_is_said_in_a_line(
    expert: Run, model: Path, rooms: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    found = expert("train", "rooms", str(rooms), "--model", str(model), "--dry-run", *arguments)

    assert found.code == code
    assert said in found.err
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rooms@2", "rooms@2 names a version: give the name alone, versions are counted"),
        ("../rooms", "'../rooms' cannot be an adapter's name: use up to 64 lower-case letters"),
    ],
)
def test_a_name_is_checked_first(expert: Run, rooms: Path, name: str, said: str) -> None:
    found = expert("train", name, str(rooms))

    assert found.code == 1
    assert found.err.startswith(f"expert: {said}")


def test_without_the_extra_it_says_what_to_install(
    expert: Run, model: Path, rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.training.find_spec", lambda name: None if name == "trl" else name)

    found = expert("train", "rooms", str(rooms), "--model", str(model))

    assert found.code == 1
    advice = "in the checkout, pip install -e '.[train]'"
    assert found.err == f"expert: training needs the extra: {advice}\n"


def test_rows_of_several_domains_are_pointed_out(expert: Run, model: Path, rooms: Path) -> None:
    with rooms.open("a") as file:
        file.write('{"question": "Who leads?", "answer": "Ann.", "domain": "people"}\n')
    found = expert(
        "train", "rooms", str(rooms), "--model", str(model), "--dry-run", "--eval-split", "0"
    )
    assert (
        "rows of 2 domains, rooms (20), people (1): an adapter for each serves better" in found.err
    )


def test_an_adapter_is_trained_interrupted_resumed_and_registered(
    expert: Run, model: Path, rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("train", "rooms", str(rooms), "--model", str(model), *FAST)

    class Interrupting(Lines):
        def __call__(self, progress: Progress) -> None:
            super().__call__(progress)
            if progress.stage == "training" and progress.step == 5:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("agent.cli.train_display.Lines", Interrupting)
        stopped = expert(*arguments)
    assert stopped.code == 130
    assert "with --resume to go on from the last checkpoint" in stopped.err

    refused = expert(*arguments)
    assert refused.code == 1
    assert (
        "a training of rooms was cut off: give --resume to go on with it, or --anew" in refused.err
    )

    resumed = expert(*arguments, "--resume", "--description", "Where rooms are.")
    assert resumed.code == 0, resumed.err
    assert "rooms@1 is registered and in use" in resumed.out
    assert re.search(r"held-out loss: \d\.\d{3} before, \d\.\d{3} after", resumed.out)
    assert len(re.findall(r"^\? .+\n  before: .+\n  after:  .+$", resumed.out, re.MULTILINE)) == 2
    assert "Look at it: expert adapters show rooms" in resumed.out
    assert "Measuring: step" in resumed.err
    card = AdapterCard.read(Path(".expert/adapters/rooms/0001"))
    assert (card.description, card.examples) == ("Where rooms are.", 18)


def test_a_training_whose_adapter_cannot_be_registered_is_kept(
    expert: Run, model: Path, rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise AdapterError("cannot write the registry: No space left on device")

    arguments = ("train", "rooms", str(rooms), "--model", model.name, *FAST)
    monkeypatch.chdir(model.parent)
    workspace = ("-w", str(rooms.with_name("workspace")))
    with monkeypatch.context() as patched:
        patched.setattr("adapters.registry.Registry.publish", full)
        stopped = expert(*workspace, *arguments, "--anew")
    assert stopped.code == 1
    assert "with --resume instead of --anew to go on from the last checkpoint" in stopped.err
    assert "cannot write the registry: No space left on device" in stopped.err

    resumed = expert(*workspace, *arguments, "--resume")
    assert resumed.code == 0, resumed.err
    assert "rooms@1 is registered and in use" in resumed.out
    folder = rooms.with_name("workspace") / "runs" / "training"
    assert not (folder / "rooms" / "checkpoints").exists()
    # Wherever it is refreshed from, the folder is meant that was named.
    assert json.loads((folder / "rooms.json").read_text())["model"] == str(model)


def test_stopped_before_its_first_checkpoint_it_does_not_speak_of_one(
    expert: Run, model: Path, rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adapters.training.run.train", interrupted)
    stopped = expert("train", "rooms", str(rooms), "--model", str(model), *FAST)
    assert stopped.code == 130
    assert "--resume" not in stopped.err


def test_a_whole_model_is_trained_again_on_what_it_was(
    expert: Run, model: Path, rooms: Path
) -> None:
    arguments = ("--method", "full", "--epochs", "1", "--eval-split", "0")
    first = expert("train", "rooms", str(rooms), "--model", str(model), *arguments, "--json")
    assert first.code == 0, first.err
    assert expert("model", "use", first.json["path"]).code == 0
    over = expert("train", "rooms", str(rooms), *arguments)
    assert over.code == 1
    assert "this would overwrite the model that it is trained on" in over.err
    again = expert("train", "rooms", "--refresh")
    assert again.code == 0, again.err


def test_documents_of_the_index_are_noted_on_the_card(
    expert: Run, model: Path, rooms: Path, own_workspace
) -> None:
    rows = [
        {"question": "How much leave do I earn a year?", "answer": "25 days of annual leave."},
        {"question": "Where do visitors park?", "answer": "Behind the north gate."},
        {"question": "Who signs?", "answer": "Ann.", "source_documents": ["gone.md"]},
    ]
    with rooms.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)

    found = expert(
        "-w", str(own_workspace.path), "train", "rooms", str(rooms), "--model", str(model), *FAST,
        "--with-retrieval", "--gold-share", "1", "--eval-split", "0", "--json",
    )  # fmt: skip

    assert found.code == 0, found.err
    assert found.json["passages"] == {"with_gold": 2, "without_gold": 0, "closed_book": 21}
    assert found.json["sources"] == ["hr/leave.md", "parking.txt"]
    assert found.json["warnings"][-1] == (
        "not in the index, so that changes of them will not be noticed: gone.md"
    )
    assert found.json["adapter"] == "rooms@1"
    card = AdapterCard.read(Path(found.json["path"]))
    assert (card.name, card.version, card.domain, card.rank) == ("rooms", 1, "rooms", 2)
    assert card.examples == found.json["examples"] == 23
    assert card.data_sha256 == found.json["data_sha256"]
    assert card.metrics == found.json["metrics"]
    assert card.hyperparameters["with_retrieval"] is True
    assert [source.document for source in card.sources] == ["hr/leave.md", "parking.txt"]
    kept = dict(zip(card.questions, card.question_sources, strict=True))
    assert kept["Where do visitors park?"] == ("parking.txt",)
    assert kept["Room 3?"] == ()
    answers = dict(zip(card.questions, card.question_answers, strict=True))
    assert answers["Room 3?"].startswith("Floor")
    # One that rests on a passage does not answer its question alone.
    assert answers["Where do visitors park?"] == ""


def test_an_adapter_is_trained_again_as_it_was_when_its_documents_have_changed(
    expert: Run, model: Path, rooms: Path, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/north.md").write_text("Room 7 is on floor 7.\n")
    with rooms.open("a") as file:
        row = {"question": "Room 77?", "answer": "Floor 7.", "source_documents": ["north.md"]}
        file.write(json.dumps(row) + "\n")
    assert expert("index", "docs").code == 0
    told = expert("train", "rooms", "--refresh")
    assert (told.code, told.out) == (1, "")
    assert told.err.startswith("expert: how rooms was trained is not known in workspace .expert: ")
    arguments = (str(rooms), "--model", str(model), *FAST, "--eval-split", "0", "--domain", "it")
    assert expert("train", "rooms", *arguments).code == 0
    (tmp_path / "docs/north.md").write_text("Room 7 is on floor 8 now.\n")
    assert expert("index", "docs").code == 0
    assert expert("adapters", "list", "--json").json["adapters"][0]["stale"] == 1

    again = expert("train", "rooms", "--refresh", "--epochs", "1", "--json")

    assert again.code == 0, again.err
    assert (
        "documents have changed since rooms@1 was trained, north.md: "
        "are the answers of lines 21 still right?"
    ) in again.err
    assert again.json["adapter"] == "rooms@2"
    card = AdapterCard.read(Path(again.json["path"]))
    assert (card.domain, card.rank, card.method) == ("it", 2, "lora")
    assert card.hyperparameters["epochs"] == 1
    assert expert("adapters", "list", "--json").json["adapters"][0]["stale"] == 0
    assert expert("train", "rooms").code == 2


def test_lines_tell_of_a_training_now_and_then() -> None:
    said: list[str] = []
    now = [0.0]
    lines = Lines(said.append, lambda: now[0])
    lines(Progress("loading"))
    for step in range(1, 100):
        now[0] += 1
        lines(
            Progress(
                "training", step, 100, loss=2.5, tokens_per_s=1234.0, memory=1_500_000_000,
                seconds_left=100.0 - step,
            )
        )  # fmt: skip
    lines(Progress("measuring", 100, 100, held_out_loss=1.25))
    lines(Progress("answering"))

    assert said[0] == "Loading the model"
    assert said[1] == (
        "Training: step 30 of 100, loss 2.500, 1,234 tokens/s, 1.5 GB, 1 min 10 s left"
    )
    assert [line.partition(",")[0] for line in said[2:4]] == [
        "Training: step 60 of 100",
        "Training: step 90 of 100",
    ]
    assert said[4:] == [
        "Measuring: step 100 of 100, held-out loss 1.250",
        "Asking held-out questions",
    ]


def test_durations_are_in_two_units() -> None:
    assert [duration(s) for s in (4.4, 61, 7384)] == ["4 s", "1 min 1 s", "2 h 3 min"]
