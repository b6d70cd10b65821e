"""Questions about a thing that is not named but described: what it is comes first."""

import re
from dataclasses import dataclass

from adapters.training.sameness import content_words
from pipelines.facts import stems

_MARK = "\N{REPLACEMENT CHARACTER}"
_CLAUSE = (
    r"(?P<link>that|which|who|whose|where|(?:in|at|from|by|for|of|on|to|with|under) (?:which|whom))"
)
_DESCRIBED = re.compile(
    rf"^(?P<asked>.*?\S)\s+(?P<thing>the\s+(?P<noun>[\w-]+(?:\s+[\w&-]+){{0,2}}?),?\s+{_CLAUSE}\s+"
    r"(?P<clause>[^,?]*\S))\s*\?*$",
    re.IGNORECASE,
)
_PEOPLE = frozenset(
    ["person", "people", "man", "woman", "pilot", "student", "employee", "investigator"]
) | frozenset(["instructor", "doctor", "supervisor", "owner", "author", "director", "manager"])
# "the code be that unlocks it": the clause is not at its noun.
_NO_NOUNS = frozenset(
    ["be", "been", "did", "do", "does", "get", "had", "have", "is", "passed", "was", "were"]
)
_LEAST_WORDS = 2
_MOST_WORDS = 8
_ABOUT = 0.6


@dataclass(frozen=True, slots=True)
class Chain:
    """A question whose thing has to be found first.

    :param first: Asks what the thing is.
    :param then: The question, with a mark where the thing's name is to stand.
    """

    first: str
    then: str

    def naming(self, name: str) -> str:
        """Return the question about a thing of that name."""
        return self.then.replace(_MARK, name)

    def name_in(self, said: str) -> str | None:
        """Return the name that an answer to :attr:`first` gives; None where it gives none.

        :param said: The words that are the very answer.
        """
        name = " ".join(said.split()).strip(" .,;:()[]|")
        new = stems(content_words(name)) - stems(content_words(self.first))
        return name if new and len(name.split()) <= _MOST_WORDS else None

    def is_about(self, name: str, text: str) -> bool:
        """Whether a text is about the thing of a name: it has most of the name's words."""
        wanted = stems(content_words(name))
        return len(wanted & stems(content_words(text))) >= _ABOUT * len(wanted)


def chained(question: str) -> Chain | None:
    """Return the two steps of a question whose thing is described by a clause at its end.

    :param question: Such as "How long is the runway of the airport where the glider landed?".
    :returns: None where nothing is described so.
    """
    text = " ".join(question.split()).rstrip(" ?.!")
    match = _DESCRIBED.match(text)
    if match is None or len(match["clause"].split()) < _LEAST_WORDS:
        return None
    if not _NO_NOUNS.isdisjoint(match["noun"].lower().split()) or ". " in match["clause"]:
        return None
    noun, link, clause = match["noun"], match["link"].lower(), match["clause"]
    if link == "whose":
        first = f"Which {noun} has the {clause}?"
    elif link == "where":
        first = f"At which {noun} {clause}?"
    elif " " in link:
        first = f"{link.split()[0].capitalize()} which {noun} {clause}?"
    elif noun.split()[-1].lower() in _PEOPLE:
        first = f"Who {clause}?" if link in ("who", "that", "which") else f"Which {noun} {clause}?"
    else:
        first = f"Which {noun} {clause}?"
    return Chain(first, f"{match['asked']} {_MARK}?")
