"""What of an adapter's knowledge may be out of date: questions whose documents have changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from adapters.card import AdapterCard
from agent.router.decision import Fact
from agent.router.memory import Known
from agent.workspace import Workspace
from pipelines.embed.embedder import Embedder, Floats
from pipelines.search import Hit
from pipelines.taught import Taught, keeps_answers

# Trained questions whose cosine to one is so near to the nearest's are about the same, as far
# as can be told, and so are passages found whose cosine to it is such.
_NEAR, _MOST_NEAR = 0.2, 5
_ABOUT, _MOST_FOUND = 0.4, 5
# From here on a question may ask for what was taught.
_MAY = 0.35


@dataclass(frozen=True)
class Outdated:
    """What has changed since an adapter was trained.

    :param share: Share of its documents that have.
    :param documents: Their names; of those that are gone too.
    :param card: The adapter's.
    :param taught: Returns what it was taught, for questions to be compared with.
    """

    share: float
    documents: frozenset[str]
    card: AdapterCard
    taught: Callable[[], Taught]

    @cached_property
    def _taught(self) -> Taught:
        return self.taught()

    @cached_property
    def questions(self) -> frozenset[int]:
        """Places, among the questions that its card keeps, of those that rest on these."""
        resting = enumerate(self.card.question_sources)
        return frozenset(n for n, sources in resting if self.documents.intersection(sources))

    def touching(self, known: Known, vector: Floats, hits: Sequence[Hit]) -> tuple[str, ...]:
        """Return the changed documents that a question is about, as far as can be told.

        :param known: What the adapter was trained on.
        :param vector: float32 [d]: the question's vector.
        :param hits: Passages found for it, best first.
        :returns: Names; where a trained question near to it rests on a document that has
            changed, and nothing of one was found, all that have changed.
        """
        # A passage that only the words found has no cosine: it may well be about it.
        about = {
            hit.document for hit in hits[:_MOST_FOUND] if hit.vector is None or hit.vector >= _ABOUT
        }
        found = about & self.documents
        if found:
            return tuple(sorted(found))
        if self.questions:
            cosines = known.vectors @ vector
            nearest = np.argsort(-cosines)[:_MOST_NEAR]
            close = (n for n in nearest if cosines[n] >= cosines[nearest[0]] - _NEAR)
            if self.questions.intersection(map(int, close)):
                return tuple(sorted(self.documents))
        return ()

    def fact(self, known: Known, asked: str, vector: Floats) -> Fact | None:
        """Return what a question may ask for that rests on changed documents; None for nothing.

        :param known: What the adapter was trained on.
        :param asked: The question, and
        :param vector: float32 [d]: its vector.
        """
        if not self.questions:
            return None
        answers = self.card.question_answers if keeps_answers(self.card) else None
        nearness = self._taught.nearness(asked) if answers else known.vectors @ vector
        place = int(np.argmax(nearness))
        if place not in self.questions or nearness[place] < _MAY:
            return None
        return Fact(
            known.reference,
            known.questions[place],
            (answers[place] or None) if answers else None,
            self.card.question_sources[place],
            float(nearness[place]),
        )


def outdated(
    workspace: Workspace, embedder: Embedder, known: Mapping[str, Known]
) -> Mapping[str, Outdated]:
    """Return by name what has changed of each adapter of which something has.

    :param embedder: Embeds questions.
    :param known: Of each adapter by name, what it was trained on.
    :raises WorkspaceError: When the catalogue cannot be read.
    """
    from adapters.registry import Registry
    from agent.freshness import freshness_of

    cards = {one.name: one.card for one in Registry(workspace.adapters_folder).all()[0]}
    return {
        name: Outdated(
            fresh.stale,
            frozenset(fresh.documents),
            cards[name],
            partial(Taught.of, cards[name], embedder, known[name].vectors),
        )
        for name, fresh in freshness_of(workspace, cards).items()
        if fresh is not None and fresh.stale and name in known
    }
