"""Measure answerers on a suite, and where on the way from document to answer it is lost."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agent.expert import Expert, Failure, Question, Reply
from agent.history import turns
from agent.suite import SuiteQuestion, is_gold
from agent.workspace import Workspace
from pipelines.answer import around
from pipelines.search import Hit
from pipelines.sentences import sentence_spans

_AMONG = 5
_MOST_SENTENCES = 2
_QUOTES = re.compile("[\u2018\u2019\u201c\u201d\"'`]")
_GAPS = re.compile(r"[\s\u2010-\u2015-]+")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question.

    The steps of a question with an answer, each True only where it can still be found:

    :param question: The question.
    :param reply: What was answered.
    :param file: A right document, of the question's ``gold_files``, is among the five best
        passages'.
    :param passage: One of these passages, of a right document or, without ``gold_files``, of
        any, holds an accepted answer.
    :param evidence: So does the evidence that the answerer was given.
    :param right: So does the answer, in its first two sentences.
    :param cited: So does a passage that it cites.
    """

    question: SuiteQuestion
    reply: Reply
    file: bool
    passage: bool
    evidence: bool
    right: bool
    cited: bool

    @property
    def answerable(self) -> bool:
        """Whether the question has an answer."""
        return self.question.has_answer


def untraced(workspace: Workspace) -> Workspace:
    """Return a workspace that keeps no traces of answers: so many would replace the user's own."""
    from agent.advise.room import TrialWorkspace

    settings = workspace.settings
    trace = settings.trace.model_copy(update={"keep": 0})
    given = settings.model_copy(update={"trace": trace})
    return TrialWorkspace(workspace.path, given, workspace.index_folder)


def outcomes(
    expert: Expert, questions: Sequence[SuiteQuestion]
) -> Iterator[Outcome | tuple[SuiteQuestion, Failure]]:
    """Ask each question and yield what became of it, or why it could not be asked.

    :param questions: Such as say what is accepted, or that nothing is.
    """
    asked = (Question(one.question, turns(one.history)) for one in questions)
    for question, reply in zip(questions, expert.ask_many(asked), strict=True):
        yield (question, reply) if isinstance(reply, Failure) else judge(question, reply)


def judge(question: SuiteQuestion, reply: Reply) -> Outcome:
    """Compare a reply with what a question accepts."""
    best = reply.hits[:_AMONG]
    right = [hit for hit in best if any(is_gold(d, question.gold_files) for d in _documents(hit))]
    answer = reply.answer.text
    return Outcome(
        question=question,
        reply=reply,
        file=bool(right),
        passage=any(holds(question, hit.text) for hit in (right if question.gold_files else best)),
        evidence=any(holds(question, piece.text) for piece in reply.evidence),
        right=answer is not None and holds(question, _first_sentences(answer)),
        cited=any(
            holds(question, piece.text)
            for citation in reply.answer.citations
            for piece in around(citation, reply.evidence)
        ),
    )


def figures(found: Sequence[Outcome]) -> dict[str, float]:
    """Return the shares that a suite is judged by.

    ``passage``, ``evidence`` and ``right`` are shares of the questions with an answer, ``file``
    of those of them with ``gold_files``, left out where none has them, ``survived`` of those
    whose answer the passages hold, ``citation_precision`` of the answers given; ``withheld`` is
    a share of the questions without an answer and ``falsely_withheld`` of those with one.
    """
    asked = [outcome for outcome in found if outcome.answerable]
    others = [outcome for outcome in found if not outcome.answerable]
    given = [outcome for outcome in asked if not outcome.reply.answer.abstained]
    reached = [outcome for outcome in asked if outcome.passage]
    placed = [outcome for outcome in asked if outcome.question.gold_files]
    return {
        "questions": len(asked),
        "unanswerable": len(others),
        **({"file": _share(placed, lambda o: o.file)} if placed else {}),
        "passage": _share(asked, lambda o: o.passage),
        "evidence": _share(asked, lambda o: o.evidence),
        "survived": _share(reached, lambda o: o.evidence),
        "right": _share(asked, lambda o: o.right),
        "falsely_withheld": _share(asked, lambda o: o.reply.answer.abstained),
        "citation_precision": _share(given, lambda o: o.cited),
        "withheld": _share(others, lambda o: o.reply.answer.abstained),
    }


def holds(question: SuiteQuestion, text: str) -> bool:
    """Say whether a text holds one of a question's accepted answers, or all that it must."""
    said = plain(text)
    if question.accepted_all:
        return all(tells(said, part) for part in question.accepted_all)
    return any(tells(said, accepted) for accepted in question.accepted)


def tells(said: str, words: str) -> bool:
    """Say whether a text, made plain, tells some words.

    A word may go on ("order" in "orders") but not begin earlier; a number may do neither, except
    that one or two zeros behind a point change nothing: a spreadsheet's 14375.0 is 14375.
    """
    wanted = plain(words)
    begins = r"(?<!\d)(?<!\d[.,])" if wanted[:1].isdigit() else r"(?<!\w)"
    zeros = "" if re.search(r"\.\d+$", wanted) else r"(?:\.00?)?"
    ends = rf"{zeros}(?!\d|[.,]\d)" if wanted[-1:].isdigit() else ""
    return bool(wanted) and re.search(f"{begins}{re.escape(wanted)}{ends}", said) is not None


def plain(text: str) -> str:
    """Return :func:`folded` without blanks at its ends."""
    return folded(text).strip()


def folded(text: str) -> str:
    """Fold case, forms of letters, quotes, dashes and white space, so that texts compare."""
    text = _QUOTES.sub("", unicodedata.normalize("NFKC", text).casefold())
    return _GAPS.sub(" ", text)


def _first_sentences(text: str) -> str:
    spans = sentence_spans(text)[:_MOST_SENTENCES]
    return text[: spans[-1][1]] if spans else ""


def _documents(hit: Hit) -> list[str]:
    return [hit.document, *(str(place["document"]) for place in hit.also_in)]


def _share(found: Sequence[Outcome], holds_for: Callable[[Outcome], bool]) -> float:
    return sum(map(holds_for, found)) / len(found) if found else 0.0
