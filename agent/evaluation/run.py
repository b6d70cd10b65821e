"""Ask a suite's questions by every way, and judge what comes back."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from agent.errors import WorkspaceError
from agent.evaluation.compare import Evaluation
from agent.evaluation.metrics import Measured, judge, said, wanted
from agent.evaluation.recounted import Recount
from agent.expert import Expert, Failure, Question, Reply
from agent.history import turns
from agent.measure import untraced
from agent.printable import printable
from agent.suite import SuiteQuestion
from agent.workspace import Workspace

if TYPE_CHECKING:
    from pipelines.embed import Embedder

WAYS = ("router", "retrieval", "expert", "hybrid")
"""The router's choice, and each route for every question."""


def ways_of(workspace: Workspace, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the ways that a workspace can take.

    :param asked: These only; none for all that there are.
    :raises WorkspaceError: When one that is asked for cannot be taken, or there is none.
    """
    own = workspace.settings.retrieval.pipeline is not None
    documents = own or (workspace.index_folder / "catalog.sqlite").is_file()
    adapters = workspace.has_adapters
    if not documents and not adapters:
        workspace.require_index()
    lacking: dict[str, str] = {}
    if not documents:
        lacking |= dict.fromkeys(("retrieval", "hybrid"), "documents: `expert index` adds some")
    if not adapters:
        lacking |= dict.fromkeys(("expert", "hybrid"), "an adapter: `expert train` makes one")
    for way in asked:
        if way in lacking:
            raise WorkspaceError(f"route {way} needs {lacking[way]}")
    return tuple(way for way in WAYS if way in asked or (not asked and way not in lacking))


def evaluate(
    workspace: Workspace,
    questions: Sequence[SuiteQuestion],
    ways: Sequence[str],
    *,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Evaluation:
    """Ask each question by each way, and judge the replies.

    :param workspace: The workspace.
    :param questions: The questions.
    :param ways: Of :func:`ways_of`.
    :param on_progress: Told how many replies there are, and of how many.
    :raises WorkspaceError: When a way cannot be taken.
    """
    replies: dict[str, list[Reply | Failure]] = {}
    asked = [Question(one.question, turns(one.history)) for one in questions]
    asking = untraced(workspace)
    for number, way in enumerate(ways):
        replies[way] = []
        with Expert(asking, route=None if way == "router" else way) as expert:
            for reply in expert.ask_many(asked):
                replies[way].append(reply)
                on_progress(number * len(asked) + len(replies[way]), len(ways) * len(asked))
    similarity = _similarity(
        workspace,
        [text for one in questions for text in wanted(one)],
        [said(reply) for each in replies.values() for reply in each],
    )
    costs = workspace.settings.router.costs
    recount = Recount(workspace)
    return Evaluation(
        {
            way: Measured(
                way,
                tuple(
                    judge(question, reply, costs, similarity, recount.backs)
                    for question, reply in zip(questions, each, strict=True)
                ),
            )
            for way, each in replies.items()
        }
    )


def _similarity(
    workspace: Workspace, right_ones: Sequence[str], answers: Sequence[str | None]
) -> Callable[[str, str], float]:
    """Return what gives the cosine of two texts' vectors, by the workspace's embedder."""
    from agent.assemble import open_embedder

    texts = list(dict.fromkeys([*right_ones, *(text for text in answers if text is not None)]))
    places = {text: place for place, text in enumerate(texts)}
    embedder: Embedder = open_embedder(workspace)
    # No tokenizer takes halves of characters.
    vectors = embedder.embed_passages([printable(text) for text in texts]).vectors
    return lambda one, other: float(vectors[places[one]] @ vectors[places[other]])
