"""A small model of inference, trained here, and what its verdicts do to a reply."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.embed.model_files import find_model
from pipelines.entailment import EntailmentModel, Verdict
from pipelines.errors import GroundingError
from pipelines.evidence import Evidence
from pipelines.ground import ground

LABELS = ("contradiction", "entailment", "neutral")
# Who signs what, said in other words, the other way round, and something else.
THINGS = "voucher order invoice contract permit ticket form report".split()  # noqa: SIM905
TEXT = "The {thing} is signed before the work begins."
SAID = {
    "entailment": "Someone puts a name under the {thing} first.",
    "contradiction": "The {thing} is signed after the work begins.",
    "neutral": "The {thing} is kept in the archive for years.",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give two layers of MiniLM with a head, trained for seconds on three kinds of sentences."""
    import torch
    from transformers import AutoTokenizer, BertForSequenceClassification

    source = find_model("minilm").folder
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    made = BertForSequenceClassification.from_pretrained(
        source,
        num_hidden_layers=2,
        id2label=dict(enumerate(LABELS)),
        label2id={label: n for n, label in enumerate(LABELS)},
        local_files_only=True,
        use_safetensors=True,
    )
    rows = [
        (TEXT.format(thing=thing), said.format(thing=thing), LABELS.index(label))
        for thing in THINGS[:6]
        for label, said in SAID.items()
    ]
    batch = tokenizer(
        [text for text, _, _ in rows],
        [said for _, said, _ in rows],
        padding=True,
        return_tensors="pt",
    )
    labels = torch.tensor([label for _, _, label in rows])
    learning = torch.optim.AdamW(made.parameters(), lr=5e-4)
    made.train()
    for _ in range(60):
        loss = made(**batch, labels=labels).loss
        learning.zero_grad()
        loss.backward()
        learning.step()
        if loss < 0.02:
            break
    folder = tmp_path_factory.mktemp("nli")
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def piece(text: str) -> Evidence:
    return Evidence("a.md", "a", None, "", 0, len(text), None, text, 0.8)


def test_verdicts_are_the_classes_that_the_model_names(model: Path) -> None:
    entails = EntailmentModel(str(model))
    for thing in THINGS[6:]:  # not trained on
        pairs = [(TEXT.format(thing=thing), said.format(thing=thing)) for said in SAID.values()]
        assert entails(pairs) == list(SAID)
    assert entails([]) == []
    long = "The yard is swept. " * 400
    assert entails([(long, "The yard is swept.")])[0] in LABELS


def test_its_verdict_changes_what_becomes_of_a_sentence(model: Path) -> None:
    entails = EntailmentModel(str(model))
    evidence = [piece(TEXT.format(thing="report"))]
    against = SAID["contradiction"].format(thing="report") + " [1]"
    # All its words but one stand there.
    assert ground("When?", against, evidence).fault is None
    assert ground("When?", against, evidence, entails=entails).fault == (
        "it contradicts what stands there"
    )
    after = SAID["entailment"].format(thing="report") + " [1]"
    assert ground("When?", after, evidence, lambda one, others: 0.0).fault == (
        "too little of it stands there"
    )
    kept = ground("When?", after, evidence, lambda one, others: 0.0, entails)
    assert (kept.fault, kept.reply) == (None, after)
    other = SAID["neutral"].format(thing="report") + " [1]"
    for judge in (None, entails):
        assert ground("When?", other, evidence, lambda one, others: 0.0, judge).fault


def test_it_is_asked_once_for_a_reply_and_never_against_a_number() -> None:
    asked: list[list[tuple[str, str]]] = []

    def entails(pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        asked.append(list(pairs))
        return ["entailment"] * len(pairs)

    evidence = [piece("The pump is greased every 400 hours."), piece("It is blue.")]
    said = "The pump is greased every 500 hours [1]. It is blue [2]."
    assert ground("How often?", said, evidence, entails=entails).reply == "It is blue. [2]"
    assert [len(each) for each in asked] == [4]
    assert ground("How often?", "", evidence, entails=entails).claims == ()
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("labels", "weights", "error"),
    [
        (("LABEL_0", "LABEL_1", "LABEL_2"), True, r"no class for entailment \(it has LABEL_0"),
        (LABELS, False, "has no safetensors weights"),
    ],
)
def test_what_cannot_judge_is_refused_in_a_line(
    model: Path, tmp_path: Path, labels: Sequence[str], weights: bool, error: str
) -> None:
    folder = tmp_path / "other"
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": dict(enumerate(labels)), "label2id": {}}
    (folder / "config.json").write_text(json.dumps(config))
    if not weights:
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(GroundingError, match=error) as raised:
        EntailmentModel(str(folder)).warm_up()
    assert "\n" not in str(raised.value)


def test_a_model_that_is_not_here_and_one_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(GroundingError, match=r"answer\.nli: no folder \./nowhere"):
        EntailmentModel("./nowhere").warm_up()
    with pytest.raises(GroundingError, match="no class for entailment"):
        EntailmentModel("minilm").warm_up()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(GroundingError, match="without network give a model's folder"):
        EntailmentModel("cross-encoder/nli-deberta-v3-small").warm_up()
