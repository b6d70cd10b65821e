"""Questions that a text seems to answer and does not, made by rule from ones that it answers.

These are the ways in which people make SQuAD 2's questions unanswerable (Rajpurkar et al.
2018, table 1): another name or number, an opposite, a negation, another word of the text.
"""

import random
import re

from agent.lab.sources import WORD, Article, Asked

_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w'-]+(?: [A-Z][\w'-]+)*")
_NUMBER = re.compile(r"\b\d[\d,.]*\b")
# How often a name or number is changed for one that is shown too: hardest to tell.
_NEAR = 0.5
_LEAST_LETTERS, _ENDING = 5, 2
_PAIRS = """
first last|largest smallest|most least|more less|more fewer|before after|highest lowest|higher
lower|oldest newest|older younger|increase decrease|increased decreased|increases decreases|north
south|east west|northern southern|eastern western|early late|earliest latest|begin end|began
ended|beginning end|start stop|started stopped|allowed forbidden|above below|won lost|include
exclude|included excluded|support oppose|supported opposed|male female|men women|man woman|always
never|minimum maximum|inside outside|rise fall|rose fell|ancient modern|private public|rich
poor|left right|buy sell|bought sold|arrive leave|arrived left|strong weak|stronger weaker|positive
negative|major minor|common rare|longest shortest|longer shorter|long short|best worst|better
worse|fastest slowest|faster slower|accept reject|accepted rejected|gained lost|gain lose|winter
summer|day night|father mother|son daughter|brother sister|husband wife|king queen|upper
lower|import export|domestic foreign|legal illegal|possible impossible|large small|larger
smaller|high low|old new|good bad|cold hot|warm cool|urban rural|create destroy|created
destroyed|succeed fail|agreed disagreed|attack defend|attacked defended|enter exit|majority
minority|advantage disadvantage|cause prevent|caused prevented|open closed|opened closed|remember
forget|teacher student|employer employee|buyer seller|winner loser|ally enemy|victory
defeat|success failure|strength weakness|heavy light|dry wet|full empty|approve reject|approved
rejected|appointed dismissed|hired fired|born buried|married divorced|built demolished|founded
dissolved|expanded shrank|widely rarely|often rarely|usually seldom|officially unofficially
"""
_OPPOSITES: dict[str, list[str]] = {}
for _pair in _PAIRS.replace("\n", " ").strip().split("|"):
    _one, _other = _pair.split()
    _OPPOSITES.setdefault(_one, []).append(_other)
    _OPPOSITES.setdefault(_other, []).append(_one)
_HELPERS = re.compile(
    r"\b(?:is|are|was|were|did|does|do|can|could|has|had|have|will|would|should)\b"
)


def misled(
    asked: Asked, article: Article, gold: str, shown: tuple[str, ...], chance: random.Random
) -> str | None:
    """Return the question changed so that what is shown no longer answers it, or None.

    :param asked: A question that is answered.
    :param article: What it is about.
    :param gold: The sentence or row that answers.
    :param shown: Texts shown, that one among them.
    :param chance: Decides how it is changed.
    """
    ways = ["renamed", "opposite", "reworded"]
    chance.shuffle(ways)
    for way in ways:
        if way == "renamed":
            made = _renamed(asked, article, shown, chance)
        elif way == "opposite":
            made = _opposite(asked.question, chance)
        else:
            made = _reworded(asked, gold, shown, chance)
        if made is not None:
            return made
    return None


def _renamed(
    asked: Asked, article: Article, shown: tuple[str, ...], chance: random.Random
) -> str | None:
    """Change a name or number for another of the same kind."""
    found = [*_NAME.finditer(asked.question), *_NUMBER.finditer(asked.question)]
    if not found:
        return None
    match = chance.choice(found)
    pattern = _NUMBER if match[0][0].isdigit() else _NAME
    near = chance.random() < _NEAR
    texts = shown if near else chance.choice(article.texts).pieces
    barred = f"{asked.question} {asked.answer}" + ("" if near else " ".join(shown))
    others = {
        other
        for text in texts
        for other in pattern.findall(text)
        if other.lower() not in barred.lower()
        and (not other[0].isdigit() or len(other) == len(match[0]))
    }
    return _changed(asked.question, match, others, chance)


def _opposite(question: str, chance: random.Random) -> str | None:
    """Change a word for its opposite; at times, or where there is none, deny the verb."""
    found = [match for match in WORD.finditer(question) if match[0].lower() in _OPPOSITES]
    if found and chance.random() < 0.8:
        match = chance.choice(found)
        return _changed(question, match, set(_OPPOSITES[match[0].lower()]), chance)
    verbs = list(_HELPERS.finditer(question))
    if not verbs or chance.random() < 0.5:
        return None
    verb = chance.choice(verbs)[0]
    denied = {"can": "can't", "will": "won't"}.get(verb, f"{verb}n't")
    return re.sub(rf"\b{verb}\b", denied, question, count=1)


def _reworded(asked: Asked, gold: str, shown: tuple[str, ...], chance: random.Random) -> str | None:
    """Change a word that the answering sentence has for one of the same ending that it lacks."""
    told = set(WORD.findall(gold.lower()))
    found = [
        match
        for match in WORD.finditer(asked.question)
        if len(match[0]) >= _LEAST_LETTERS and match[0].islower() and match[0] in told
    ]
    if not found:
        return None
    match = chance.choice(found)
    barred = told | set(WORD.findall(f"{asked.question} {asked.answer}".lower()))
    others = {
        word
        for text in shown
        for word in WORD.findall(text)
        if len(word) >= _LEAST_LETTERS
        and word.isalpha()
        and word.islower()
        and word not in barred
        and word[-_ENDING:] == match[0][-_ENDING:]
        and word[:4] != match[0][:4]
    }
    return _changed(asked.question, match, others, chance)


def _changed(
    question: str, match: re.Match[str], others: set[str], chance: random.Random
) -> str | None:
    """Return a question with one part changed, or None where there is nothing to change it for."""
    if not others:
        return None
    other = chance.choice(sorted(others))
    return f"{question[: match.start()]}{other}{question[match.end() :]}"
