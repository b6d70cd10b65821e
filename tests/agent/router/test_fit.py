from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.errors import RouterError
from agent.router.classifier import Classifier
from agent.router.fit import _last_layers, fit, read_labelled
from agent.router.router import Router
from agent.router.versions import Versions
from agent.routes import Routes
from agent.workspace import Workspace
from pipelines.embed import open_embedder
from pipelines.embed.model_files import find_model
from tests.agent.router.conftest import publish


def test_fitting_adds_a_classifier_and_a_speller(workspace: Workspace, router: Router) -> None:
    fitted = fit(workspace, router.embedder)
    assert (fitted.version, fitted.questions["pay"]) == ("0001", 6)
    again = Router.open(workspace, router.embedder)
    assert again.version == "0001"
    decision = again.decide("wat does eror E17 of the presss mean")
    assert decision.domain["press"] > 0.5
    assert again.read("lithum grease") == "lithium grease"
    assert Versions(workspace.path / "router").rollback() == "default"


def test_labelled_questions_teach_too_and_bad_lines_are_named(
    workspace: Workspace, router: Router, tmp_path: Path
) -> None:
    path = tmp_path / "labelled.jsonl"
    path.write_text(
        '{"question": "why is my bonus late?", "adapter": "pay"}\n'
        '{"question": "tell a joke", "adapter": null}\n'
        "{\n"
        '{"question": "", "adapter": "pay"}\n'
        '{"question": "x", "adapter": "sales"}\n'
    )
    fitted = fit(workspace, router.embedder, labelled=path)
    assert (fitted.questions["pay"], fitted.questions[""]) == (7, 1)
    assert [line for line, _ in fitted.errors] == [3, 4, 5]
    assert fitted.errors[2][1] == "adapter: there is no sales"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RouterError, match="No such file"):
        read_labelled(tmp_path / "none.jsonl", ["pay"])


def test_with_nothing_to_route_to_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RouterError, match="nothing to route to"):
        fit(Workspace(tmp_path / "empty"), open_embedder("minilm"))


def test_documents_alone_can_be_fitted(made: Workspace, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/index").symlink_to(made.index_folder)
    workspace = Workspace(tmp_path / "own")
    fit(workspace, open_embedder("minilm"))
    assert Routes(workspace).router.routes == ("retrieval", "abstain")


@pytest.fixture
def few_foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "foreign.txt"
    path.write_text("Who painted the Mona Lisa?\nHow do I bake bread?\nTell me a joke.\n")
    monkeypatch.setattr("agent.router.fit.FOREIGN", path)


@pytest.mark.usefixtures("few_foreign")
@pytest.mark.parametrize("damaged", ["success.json", "notes.json"])
def test_of_a_damaged_router_what_was_learned_is_left_out(
    workspace: Workspace, router: Router, damaged: str
) -> None:
    versions = Versions(workspace.path / "router")
    versions.add(lambda folder: router.success.save(folder / "success.json"), {}, use=True)
    kept = fit(workspace, router.embedder)
    assert kept.left == ()
    (versions.folder(kept.version) / damaged).write_text("{")
    fitted = fit(workspace, router.embedder)
    assert fitted.left[0].startswith("what router 0002 learned from outcomes cannot be read")
    assert not (versions.folder(fitted.version) / "success.json").exists()
    assert Router.open(workspace, router.embedder).version == "0003"


@pytest.mark.usefixtures("few_foreign")
def test_an_adapter_of_too_few_questions_keeps_no_other_from_being_learned(
    workspace: Workspace, router: Router
) -> None:
    publish(workspace, "shop", ("Where is the shop?",))
    fitted = fit(workspace, router.embedder)
    assert fitted.left == (
        "adapter shop has fewer than 2 questions: the classifier does not know it",
    )
    folder = Versions(workspace.path / "router").folder(fitted.version)
    assert Classifier.load(folder).labels == ("pay", "press")
    domain = Router.open(workspace, router.embedder).decide("Where is the shop?").domain
    assert max(domain, key=lambda name: domain[name]) == "shop"


@pytest.mark.usefixtures("few_foreign")
def test_where_nothing_can_be_tuned_it_is_said(made: Workspace, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/index").symlink_to(made.index_folder)
    workspace = Workspace(tmp_path / "own")
    fitted = fit(workspace, open_embedder("minilm"), tune=True)
    assert (fitted.tuned, fitted.left) == (
        False,
        ("no adapter has 2 questions: nothing was tuned",),
    )
    assert Versions(workspace.path / "router").notes(fitted.version)["tuned"] is False


def test_layers_are_tuned_of_the_model_that_embeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").symlink_to(find_model("minilm").folder)
    monkeypatch.setenv("EXPERT_EMBEDDER__MODEL", str(tmp_path / "mine"))
    found = find_model(str(tmp_path / "mine"))
    monkeypatch.setattr("agent.router.train.last_layers", lambda folder: folder)
    workspace = Workspace(tmp_path)
    mine = SimpleNamespace(
        has_token_states=True, fingerprint=f"{found.name}@{found.digest[:16]}:fp32"
    )
    assert _last_layers(workspace, mine) == found.folder
    with pytest.raises(RouterError, match="fit without --tune"):
        _last_layers(workspace, SimpleNamespace(has_token_states=True, fingerprint="other@0:fp32"))
    with pytest.raises(RouterError, match="fit without --tune"):
        _last_layers(workspace, SimpleNamespace(has_token_states=False, fingerprint="openai:x"))
