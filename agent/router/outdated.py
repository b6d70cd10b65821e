"""What of an adapter's knowledge may be out of date: questions whose documents have changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agent.router.memory import Known
from agent.workspace import Workspace
from pipelines.embed.embedder import Floats
from pipelines.search import Hit

# Trained questions whose cosine to one is so near to the nearest's are about the same, as far
# as can be told, and so are passages found whose cosine to it is such.
_NEAR, _MOST_NEAR = 0.2, 5
_ABOUT, _MOST_FOUND = 0.4, 5


@dataclass(frozen=True, slots=True)
class Outdated:
    """What has changed since an adapter was trained.

    :param share: Share of its documents that have.
    :param documents: Their names; of those that are gone too.
    :param questions: Places, among the questions that its card keeps, of those that rest on them.
    """

    share: float
    documents: frozenset[str]
    questions: frozenset[int]

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

    def taught(self, known: Known, vector: Floats) -> bool:
        """Whether the trained question that is nearest to one rests on what has changed.

        :param known: What the adapter was trained on.
        :param vector: float32 [d]: the question's vector.
        """
        return int(np.argmax(known.vectors @ vector)) in self.questions


def outdated(workspace: Workspace) -> Mapping[str, Outdated]:
    """Return by name what has changed of each adapter of which something has.

    :raises WorkspaceError: When the catalogue cannot be read.
    """
    from adapters.registry import Registry
    from agent.freshness import freshness_of

    cards = {one.name: one.card for one in Registry(workspace.adapters_folder).all()[0]}
    found = {}
    for name, fresh in freshness_of(workspace, cards).items():
        if fresh is not None and fresh.stale:
            documents = frozenset(fresh.documents)
            resting = enumerate(cards[name].question_sources)
            places = frozenset(n for n, sources in resting if documents.intersection(sources))
            found[name] = Outdated(fresh.stale, documents, places)
    return found
