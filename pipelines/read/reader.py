"""Run the reader: question and text through one small encoder, by ONNX Runtime."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.embed.encoder import open_session
from pipelines.errors import ReaderError

# Tokens; what of a question or a text is longer is not read.
_LONGEST_QUESTION, _LONGEST_INPUT = 64, 384
_LONGEST_ANSWER = 30


# Of a text's tokens: where they stand, which are the text's own, and their scores.
_Scored = tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Text:
    """A text to read.

    :param context: What it stands under (title, headings); may be empty. Read, but no answer
        is looked for in it.
    :param content: The text.
    :param sentences: Where each of its sentences begins and ends.
    """

    context: str
    content: str
    sentences: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Reading:
    """The words of a sentence that answer a question best.

    :param start: Offset of their first character in the text.
    :param end: Offset after their last character.
    :param score: By how much they are preferred to no answer (difference of logits);
        comparable between sentences and texts of one question, and above 0 an answer is more likely
        than none.
    """

    start: int
    end: int
    score: float


class Reader:
    """An extractive reader (Devlin et al. 2019; no answer as in Rajpurkar et al. 2018).

    :param folder: Has ``model.onnx`` and ``tokenizer.json``, as
        :func:`pipelines.read.export.export_reader` makes them.
    :raises ReaderError: When the folder is not complete or cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        # More threads than that only wait on texts this short.
        threads = min(4, len(os.sched_getaffinity(0)))
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = open_session(folder / "model.onnx", threads=threads)
        except Exception as error:  # both libraries raise bare Exception
            raise ReaderError(
                f"the exported reader in {folder} is damaged: remove that folder and run again"
            ) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # The last question, and what was read for it.
        self._last: tuple[str, dict[str, _Scored]] = "", {}

    def read(self, question: str, texts: Sequence[Text]) -> list[list[Reading]]:
        """Return the best answer in each sentence of each text, however unlikely it is one.

        :param question: The question.
        :param texts: What to read, each in one pass with the question.
        :returns: For each text one reading a sentence, in the order of its sentences; with
            a score of -inf where there is nothing to read.
        """
        asked = self._shortened(question)
        before, known = self._last
        if before != asked:
            known = {}
            self._last = asked, known
        found = []
        for text in texts:
            head = f"{text.context}\n" if text.context else ""
            whole = head + text.content
            # What was read to rank passages is read again to answer.
            if whole not in known:
                known[whole] = self._scored(asked, whole)
            offsets, inside, scores = known[whole]
            offsets = offsets - len(head)
            found.append(
                [
                    _best(
                        scores,
                        np.flatnonzero(inside & (offsets[:, 0] >= start) & (offsets[:, 1] <= end)),
                        offsets,
                    )
                    for start, end in text.sentences
                ]
            )
        return found

    def _scored(self, asked: str, text: str) -> "_Scored":
        """Read a text, by itself: in a batch, short ones would be as long as the longest."""
        encoding = self._tokenizer.encode(asked, text)
        ids = np.array([encoding.ids[:_LONGEST_INPUT]], dtype=np.int64)
        (scores,) = self._session.run(
            ["scores"], {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        )
        offsets = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2)[:_LONGEST_INPUT]
        of_text = np.asarray(encoding.type_ids[:_LONGEST_INPUT]) == 1
        return offsets, of_text & (offsets[:, 1] > offsets[:, 0]), scores[0]

    def _shortened(self, question: str) -> str:
        encoding = self._tokenizer.encode(question, add_special_tokens=False)
        if len(encoding.ids) <= _LONGEST_QUESTION:
            return question
        return question[: encoding.offsets[_LONGEST_QUESTION - 1][1]]


def _best(
    scores: NDArray[np.float32], places: NDArray[np.int64], offsets: NDArray[np.int64]
) -> Reading:
    if not len(places):
        return Reading(0, 0, float("-inf"))
    sums = scores[places, 0][:, None] + scores[places, 1][None, :]
    # An answer ends where it begins or after, and is not long.
    length = np.arange(len(places))[None, :] - np.arange(len(places))[:, None]
    sums[(length < 0) | (length >= _LONGEST_ANSWER)] = -np.inf
    begin, end = np.unravel_index(int(sums.argmax()), sums.shape)
    return Reading(
        int(offsets[places[begin], 0]),
        int(offsets[places[end], 1]),
        float(sums[begin, end] - scores[0].sum()),
    )


@cache
def open_reader() -> Reader:
    """Return the shipped reader, exported on first use and loaded once.

    :raises ReaderError: When it cannot be exported or loaded.
    """
    from pipelines.read.export import export_reader

    return Reader(export_reader())
