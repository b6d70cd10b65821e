"""A workspace with two documents and two adapters, whose cards say what they were trained on."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.card import AdapterCard
from adapters.registry import Registry
from agent.assemble import open_indexer
from agent.router.router import Router
from agent.routes import Routes
from agent.workspace import Workspace

EXAMPLE = Path(__file__).parents[3] / "examples" / "hr" / "adapter"
LEAVE = """# Annual leave

Full-time staff earn 25 days of annual leave a year. Part-time staff earn 12 days.

Unused leave is carried over until March.
"""
PUMPS = """# Pump care

The coolant pump is greased every 400 operating hours with lithium grease.
"""
PAY = (
    "When is the salary paid?",
    "Who approves a pay rise?",
    "How is overtime paid?",
    "What does payroll need to know of a new bank account?",
    "Which form reports a wrong pay slip?",
    "How much is the meal allowance?",
)
CODES = (
    "What does error code E17 on the press mean?",
    "How is the press reset after an emergency stop?",
    "Which spare belt fits the conveyor?",
    "What does the red lamp on the press say?",
    "Who may open the control cabinet?",
    "How tight are the bolts of the conveyor?",
)


def publish(workspace: Workspace, name: str, questions: tuple[str, ...]) -> None:
    """Register an adapter that was trained on questions."""
    card = AdapterCard.read(EXAMPLE).model_copy(
        update={"name": name, "questions": questions, "sources": ()}
    )
    Registry(workspace.adapters_folder).publish(EXAMPLE, card)


def add_adapters(workspace: Workspace) -> None:
    publish(workspace, "pay", PAY)
    publish(workspace, "press", CODES)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Give the workspace that others are copied from."""
    folder = tmp_path_factory.mktemp("routed")
    (folder / "docs").mkdir()
    (folder / "docs/leave.md").write_text(LEAVE)
    (folder / "docs/pumps.md").write_text(PUMPS)
    workspace = Workspace(folder / ".expert")
    with workspace.index_lock(), open_indexer(workspace) as indexer:
        indexer.index_paths([folder / "docs"])
    add_adapters(workspace)
    return workspace


@pytest.fixture
def workspace(made: Workspace, tmp_path: Path) -> Workspace:
    """Give a workspace of one's own with documents and adapters."""
    shutil.copytree(made.path, tmp_path / "own")
    return Workspace(tmp_path / "own")


@pytest.fixture
def routes(workspace: Workspace) -> Iterator[Routes]:
    with closing(Routes(workspace)) as routes:
        yield routes


@pytest.fixture
def router(routes: Routes) -> Router:
    return routes.router
