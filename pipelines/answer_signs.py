"""What of a sentence's form fits what a question asks for, whatever their words."""

import math
import re

from adapters.training.sameness import content_words
from pipelines.facts import names, stems

NAMES = (
    *("quantity", "no_quantity", "money", "name", "reason"),
    *("length", "long", "row", "item", "lead_in"),
    *("marks", "question_length"),
)

_ASKS_QUANTITY = re.compile(
    r"\bhow (?:many|much|long|often|far|old|soon|big|large|late|early|high|fast|deep|heavy|hot"
    r"|cold)|\b(?:share|percent|percentage|number|amount|total|rate|size|fraction|proportion|limit"
    r"|biggest|longest|maximum|max|minimum|highest|lowest|exactly|cost|costs|fare|price|at what)\b",
    re.IGNORECASE,
)
# A digit behind a letter is part of a name: "DEN08", "SHD26".
_QUANTITY = re.compile(
    r"(?<![A-Za-z\d])\d"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|half|third|quarter|once|twice"
    r"|dozens?|hundreds?|thousands?|millions?|few|several|couple|every|daily|weekly|fortnightly"
    r"|monthly|quarterly|yearly|annual|annually|immediately)\b",
    re.IGNORECASE,
)
_ASKS_MONEY = re.compile(
    r"\b(?:how much|money|costs?|fare|price|pay|worth|dollars?|salary)\b|[$€£]", re.IGNORECASE
)
_MONEY = re.compile(r"[$€£]|\b(?:dollars?|costs?|price|paid?|pay)\b", re.IGNORECASE)
_ASKS_WHO = re.compile(r"\b(?:who|whose|whom|which (?:office|team|person|agency))\b", re.IGNORECASE)
_NAME = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][a-z]+")
_ASKS_WHY = re.compile(r"\b(?:why|reason|cause)", re.IGNORECASE)
_REASON = re.compile(r"because|due to|caus|since|so that|reason", re.IGNORECASE)
_LONG = 300


class Asked:
    """A question, as far as it tells what its answer looks like.

    :param question: The question.
    """

    def __init__(self, question: str) -> None:
        self._quantity = bool(_ASKS_QUANTITY.search(question))
        self._money = bool(_ASKS_MONEY.search(question))
        self._who = bool(_ASKS_WHO.search(question))
        self._why = bool(_ASKS_WHY.search(question))
        self._marks = names(question) | set(re.findall(r"\d[\d.,]*\d|\d", question))
        self._length = math.log(len(stems(content_words(question))) + 1)

    def marked(self, around: str) -> float:
        """Return the share of the question's names and figures in a text, .5 where it has none.

        :param around: A passage, and what it stands under.
        """
        if not self._marks:
            return 0.5
        low = around.casefold()
        return sum(mark in low for mark in self._marks) / len(self._marks)

    def signs(self, sentence: str, marked: float) -> tuple[float, ...]:
        """Return the signs of a sentence, in the order of ``NAMES``.

        Whether it has a quantity, money, a name or a reason where one is asked for, or no
        quantity; the logarithm of its length in characters, whether it is long, a table's row, a
        list's item, a lead-in; the share of the question's names and figures around it; the
        logarithm of how many words the question has.

        :param sentence: The sentence.
        :param marked: :meth:`marked` of the passage that it stands in, the same for all of it.
        """
        quantity = bool(_QUANTITY.search(sentence))
        seen = (
            self._quantity and quantity,
            self._quantity and not quantity,
            self._money and bool(_MONEY.search(sentence)),
            self._who and bool(_NAME.search(sentence)),
            self._why and bool(_REASON.search(sentence)),
            math.log(len(sentence) + 1),
            len(sentence) > _LONG,
            "|" in sentence,
            sentence.startswith("- "),
            sentence.rstrip().endswith(":"),
            marked,
            self._length,
        )
        return tuple(float(one) for one in seen)
