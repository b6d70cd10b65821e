"""Write look-ups as the lab model learns reading them, with what the product finds for each.

    python benchmarks/lab_lookups.py found.jsonl --lookups learned.jsonl --documents FOLDER
    python benchmarks/lab_lookups.py found.jsonl --apart FILES
    expert lab data DATA --squad FILE --retrieved found.jsonl

Questions on a document stand over what was found for one of them, where that is where they
lead too, so that training reads it once. What it does not hold is refused.
"""

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from reader_lookups import LookUp, look_up, look_up_apart

from adapters.cache import write_whole
from agent.lab.retrieved import Retrieved

# Questions with and without an answer over the same evidence, at most.
_ANSWERED, _REFUSED = 6, 3


def together(lookups: Iterable[LookUp], chance: random.Random) -> Iterator[list[Retrieved]]:
    """Yield questions over the same evidence.

    :param lookups: In any order.
    :param chance: Decides which question's evidence is shown.
    """
    about: dict[str, list[LookUp]] = defaultdict(list)
    for one in lookups:
        if one.evidence:
            about[one.document].append(one)
    for left in about.values():
        chance.shuffle(left)
        while left:
            taken = _over(left)
            left[:] = [one for n, one in enumerate(left) if n not in taken]
            found = [one for one in taken.values() if one is not None]
            if found:
                yield found


def _over(left: Sequence[LookUp]) -> dict[int, Retrieved | None]:
    """Return which can be asked over the first one's evidence; None where nobody knows."""
    first = left[0]
    texts = {piece.text for piece in first.evidence}
    shown = tuple((piece.context, piece.text) for piece in first.evidence)
    taken: dict[int, Retrieved | None] = {}
    room = {True: _ANSWERED, False: _REFUSED}
    for n, one in enumerate(left):
        place = _place(one, first)
        if place is None and one is first:
            taken[n] = None
        elif place is not None and room[place > 0] and (place or one.evidence[0].text in texts):
            room[place > 0] -= 1
            taken[n] = Retrieved(one.question, one.answer, one.answer or "", shown, place)
    return taken


def _place(one: LookUp, first: LookUp) -> int | None:
    """Return which piece of the first one's evidence answers; 0 for none, None when in doubt."""
    if one.answer is None:
        return 0
    holding = [n for n, piece in enumerate(first.evidence, 1) if one.answer in piece.text]
    own = [n for n in holding if first.evidence[n - 1].document == one.document]
    if own:
        return own[0]
    return None if holding else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("target", type=Path)
    parser.add_argument("--lookups", type=Path, nargs="*", default=[])
    parser.add_argument("--documents", type=Path, help="what the look-ups were written on")
    parser.add_argument("--apart", type=Path, nargs="*", default=[], metavar="FILE")
    parser.add_argument("--least", type=int, default=1, help="of questions over the same evidence")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lookups = [one for path in options.lookups for one in look_up(path, options.documents)]
    lookups += [one for path in options.apart for one in look_up_apart(path)]
    found = together(lookups, random.Random(options.seed))
    groups = [group for group in found if len(group) >= options.least]
    lines = [json.dumps(one.line(), ensure_ascii=False) for group in groups for one in group]
    write_whole(options.target, ("\n".join(lines) + "\n").encode())
    answered = sum(one.place > 0 for group in groups for one in group)
    print(f"{len(lines):,} questions in {len(groups):,} groups, {answered:,} with the answer")


if __name__ == "__main__":
    main()
