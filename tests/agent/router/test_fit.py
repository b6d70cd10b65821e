from pathlib import Path

import pytest

from agent.errors import RouterError
from agent.router.fit import fit, read_labelled
from agent.router.router import Router
from agent.router.versions import Versions
from agent.routes import Routes
from agent.workspace import Workspace
from pipelines.embed import open_embedder


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
