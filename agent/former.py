"""Answer by the documents what an adapter was taught before they changed."""

import time
from dataclasses import replace

from adapters.training.squad import same_words
from agent.reply import Answered
from agent.router.decision import Fact
from agent.routes import Routes
from agent.ways import OnText
from pipelines import taught
from pipelines.former import load_calibration, signs
from pipelines.quote import QuoteAnswerer
from pipelines.search import Found, retrieve


class Former:
    """Looks for what stands now in a former answer's place.

    :param routes: The workspace's routes.
    """

    def __init__(self, routes: Routes) -> None:
        self._routes, self._quote = routes, QuoteAnswerer()

    def answer(self, fact: Fact, searched: str, on_text: OnText | None) -> Answered | None:
        """Answer a question that may ask for a fact; None where it likely does not.

        :raises WorkspaceError: When nothing is indexed.
        """
        started = time.perf_counter()
        there = self.look(fact)
        told = self.signs(fact, searched, there)
        if told is None:
            return None
        calibration = load_calibration()
        sure = calibration.asks.probability(told)
        if sure < calibration.threshold:
            # It may still say what it was taught to a question that is put in quite other words.
            sure = self._said_again(fact, searched)
        if sure < calibration.threshold:
            return None
        retrieved = time.perf_counter()
        # In the words taught, which are nearer to the documents' than anyone else's.
        way = self._routes.way("retrieval", None)
        answered = way.answer(fact.question, there, on_text, fact.answer)
        known = {"adapter": fact.adapter, "question": fact.question, "text": fact.answer}
        answer = replace(
            answered.answer,
            confidence=sure * answered.answer.confidence,
            written={**answered.answer.written, "remembered": known},
        )
        took = {"retrieve": 1000 * (retrieved - started), **answered.took}
        return replace(answered, answer=answer, took=took)

    def _said_again(self, fact: Fact, searched: str) -> float:
        """Return how sure the adapter is where it says, as it is asked, what it was taught."""
        if fact.answer is None:
            return 0.0
        expert = self._routes.expert(fact.adapter)
        expert.warm_up()
        recalled = expert.recall(searched)
        if recalled.features is None or not same_words(recalled.said, fact.answer):
            return 0.0
        return taught.load_calibration().answer.probability(recalled.features)

    def look(self, fact: Fact) -> Found:
        """Return what the documents that a fact rests on have on it now."""
        within = {"field": "meta.document", "operator": "in", "value": list(fact.documents)}
        text = f"{fact.question} {fact.answer or ''}"
        with self._routes.lock:
            found = retrieve(self._routes.pipeline, text, filters=within)
        # A pipeline of the user's own need not keep to them.
        there = [piece for piece in found.evidence if piece.document in fact.documents]
        return replace(found, evidence=there)

    def signs(self, fact: Fact, searched: str, there: Found) -> tuple[float, float, float] | None:
        """Return what tells whether a question asks for a fact; see :func:`pipelines.former.signs`.

        :param there: What the documents have on the fact.
        """
        found = self._routes.look("retrieval", searched)
        return signs(
            self._quote,
            searched,
            fact.question,
            fact.answer,
            fact.nearness,
            there.evidence,
            found.evidence,
        )
