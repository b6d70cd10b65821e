"""Answer a planned question: by its route, by steps or parts, and by what is left to try."""

from dataclasses import dataclass, replace
from math import inf

from agent.chain import Chain
from agent.compare import Comparison
from agent.follow_up import Turn, standalone
from agent.former import Former
from agent.parts import in_short, put_together
from agent.planning import Plan, Planner, Question
from agent.reply import Answered
from agent.routes import Routes
from agent.steps import in_steps, says_of_both
from agent.telling import Telling
from agent.ways import OnText
from pipelines.citations import without_marks

# Least confidence of an adapter that is asked where documents had no answer, and of an answer to
# a part without what was said before it (docs/decisions.md).
_SURE, _SURE_ALONE = 0.7, 0.5
# Below this confidence one look's answer about a thing that is only described is held against what
# the steps find.
_SURE_AT_ONCE = 0.5


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a question.

    :param done: The answer, or the abstention.
    :param taken: What came of each route taken, in turn.
    :param read_as: The question with its slips mended, where that is what was answered.
    """

    done: Answered
    taken: tuple[Answered, ...]
    read_as: str | None = None


class Attempts:
    """Takes questions' routes.

    :param routes: The workspace's routes.
    :param planner: Plans the parts of a question.
    """

    def __init__(self, routes: Routes, planner: Planner) -> None:
        self._routes, self._planner = routes, planner
        self._former = Former(routes)

    def answer(self, plan: Plan, on_text: OnText | None = None) -> Tried:
        """Take a question's route, and what else may answer it where that does not.

        What is not answered, or by a quote, is read once more with its slips mended, and the
        surer answer given. Before that it is taken as it is written: a word that nobody has
        written here may be a name. A language model reads over slips, and where the route is told
        no router is opened for what has an answer.
        """
        telling = Telling(on_text)
        tried = self._as_written(plan, telling)
        is_answered = not _lacks(tried)
        if is_answered and (plan.is_told or tried.done.answer.answerer != "quote"):
            return tried
        meant = self._routes.mended(plan.searched, is_answered=is_answered)
        if meant is None:
            return tried
        told = (plan.route, plan.adapter) if plan.is_told else (None, None)
        (anew,) = self._planner.plan([Question(meant, (), *told)])
        if anew.route == "abstain":
            return tried  # read so, it is nobody's business here
        if is_answered and _way(anew) != _way(plan):
            return tried  # what another way is sure of does not compare with a quote
        # It is told once it is known to be the answer.
        again = self._as_written(anew, Telling(None))
        taken = (*tried.taken, *again.taken)
        compares = not is_answered or again.done.answer.answerer == "quote"
        if not compares or _worth(again) <= _worth(tried):
            return replace(tried, taken=taken)
        telling.settle(again.done.answer)
        return replace(again, taken=taken, read_as=meant)

    def _as_written(self, plan: Plan, telling: Telling) -> Tried:
        if plan.parts:
            return self._part_by_part(plan, telling)
        tried = self._whole(plan, telling)
        telling.correct(tried.done.answer)
        return tried

    def _whole(self, plan: Plan, telling: Telling) -> Tried:
        taken: list[Answered] = []
        left: Answered | None = None
        if isinstance(plan.steps, Comparison):
            # The whole question finds a sentence about one of the two, as a rule.
            told, left = self._in_steps(plan, plan.steps, telling)
            taken += told
            if not left.answer.abstained:
                return Tried(left, tuple(taken))
        if plan.knew is not None:
            fact = plan.knew
            anew = telling.of(lambda on_text: self._former.answer(fact, plan.searched, on_text))
            if anew is not None:
                taken.append(anew)
                if not anew.answer.abstained:
                    return Tried(anew, tuple(taken))
        whole = telling.of(
            lambda on_text: self._routes.take(plan.route, plan.adapter, plan.searched, on_text)
        )
        taken.append(whole)
        if isinstance(plan.steps, Comparison) and says_of_both(plan.steps, whole):
            left = None
        at_once = -1.0 if whole.answer.abstained else whole.answer.confidence
        if isinstance(plan.steps, Chain) and at_once < _SURE_AT_ONCE:
            told, done = self._in_steps(plan, plan.steps, telling)
            taken += told
            if not done.answer.abstained and done.answer.confidence > at_once:
                return Tried(done, tuple(taken))
        if left is None and not whole.answer.abstained:
            return Tried(whole, tuple(taken))
        last: Answered | None = None
        if plan.steps is not None:
            last = telling.of(lambda on_text: self._routes.work(plan.searched, on_text))
        if last is None and left is None and plan.otherwise is not None:
            last = self._otherwise(*plan.otherwise, plan.searched, telling)
        if last is not None:
            taken.append(last)
        if last is None or last.answer.abstained:
            return Tried(left or whole, tuple(taken))
        return Tried(_on_a_route(last), tuple(taken))

    def _otherwise(
        self, route: str, adapter: str | None, searched: str, telling: Telling
    ) -> Answered | None:
        """Take the route that is left; an adapter alone must be sure where documents were not."""
        if route != "expert" or adapter is None:
            return telling.of(lambda on_text: self._routes.take(route, adapter, searched, on_text))
        if not self._routes.knows_what_was_taught(adapter):
            return None
        told = self._routes.take(route, adapter, searched, None)
        return told if told.answer.confidence >= _SURE else None

    def _in_steps(
        self, plan: Plan, steps: Comparison | Chain, telling: Telling
    ) -> tuple[list[Answered], Answered]:
        way: tuple[str, str | None] = plan.route, plan.adapter
        if self._routes.way(*way).is_either:
            way = "retrieval", None  # a step leads on from what stands there

        def ask(question: str) -> Answered:
            telling.ask_on()
            return self._routes.take(*way, question, None)

        return in_steps(steps, ask)

    def _part_by_part(self, plan: Plan, telling: Telling) -> Tried:
        """Answer each part of a question by its own route, and put the answers together."""
        questions = [part.question for part in plan.parts]
        # "Where do I send it?" may point back to what was asked first.
        first = Turn(questions[0], questions[0])
        asked = [questions[0], *(standalone(text, [first]) for text in questions[1:])]
        told = (plan.route, plan.adapter) if plan.is_told else (None, None)
        plans = self._planner.plan([Question(text, (), *told) for text in asked])
        each: list[Tried] = []
        for part, planned in zip(plan.parts, plans, strict=True):
            tried = self._whole(replace(planned, parts=()), telling)
            before = {_words(one.done) for one in each if one.done.adapter}
            if tried.done.adapter and _words(tried.done) in before:
                # It answers the other part; this one the adapter was not taught.
                tried = self._looked_up(planned.searched, tried)
            if tried.done.answer.abstained and part.said:
                alone = self._looked_up(part.asks, tried)
                # Without what was said before it may ask for another thing.
                sure = alone.done.answer.confidence >= _SURE_ALONE
                tried = replace(alone, done=alone.done if sure else tried.done)
            # What was put together of steps has marks and parts of its own.
            answer = tried.done.answer if tried.done.parts else in_short(tried.done.answer)
            short = replace(tried.done, answer=answer)
            telling.settle(short.answer)
            each.append(replace(tried, done=short))
        taken = tuple(one for tried in each for one in tried.taken)
        if all(tried.done.answer.abstained for tried in each):
            # It may ask for one thing in several clauses.
            whole = self._whole(replace(plan, parts=()), telling)
            if not whole.done.answer.abstained:
                return Tried(whole.done, (*taken, *whole.taken))
        return Tried(put_together(questions, [tried.done for tried in each]), taken)

    def _looked_up(self, searched: str, before: Tried) -> Tried:
        """Answer a part by the documents alone, after other ways."""
        if not self._routes.has_documents:
            return before
        last = self._routes.take("retrieval", None, searched, None)
        return Tried(last, (*before.taken, last))


def _lacks(tried: Tried) -> float:
    """Return how many parts of a question have no answer, which is more than any where none has."""
    answer = tried.done.answer
    return inf if answer.abstained else len(answer.missing)


def _way(plan: Plan) -> tuple[str, str | None, int]:
    return plan.route, plan.adapter, len(plan.parts)


def _worth(tried: Tried) -> tuple[float, float]:
    """Return what more is better of: parts answered, then confidence."""
    answer = tried.done.answer
    return -_lacks(tried), 0.0 if answer.abstained else answer.confidence


def _words(answered: Answered) -> str:
    return without_marks(answered.answer.text or "")[0]


def _on_a_route(answered: Answered) -> Answered:
    """Return an agent's answer as one of the route that what it rests on is of."""
    if answered.route != "agent":
        return answered
    return replace(answered, route="retrieval" if answered.adapter is None else "hybrid")
