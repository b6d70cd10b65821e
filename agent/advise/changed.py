"""Change facts in the copied documents, so that the right answers of questions change with them."""

import math
import random
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.advise.documents import Documents
from agent.advise.facts import Change, change_of, names_in
from agent.advise.halves import taught_answer
from agent.advise.room import Room, TrialWorkspace
from agent.measure import plain
from agent.suite import SuiteQuestion
from pipelines.errors import ConversionError

SHARE = 0.2
"""Share of the documents that change."""
_TEXT = frozenset(
    (".md", ".markdown", ".html", ".htm", ".xhtml", ".txt", ".text", ".log", ".csv", ".tsv")
)
_OOXML = frozenset((".docx", ".pptx", ".xlsx", ".xlsm"))
_CHANGEABLE = _TEXT | _OOXML
# Of a shorter phrase many documents may have the same words by chance.
_FEWEST_WORDS = 5


@dataclass(frozen=True, slots=True)
class ChangedFact:
    """A question whose right answer changed.

    :param place: Of the question among all.
    :param phrase: What answered it in the documents.
    :param change: What became of the value in that.
    :param documents: The documents in which it was changed.
    """

    place: int
    phrase: str
    change: Change
    documents: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "ChangedFact":
        """Return what :meth:`to_dict` gave."""
        change, documents = Change(**told["change"]), tuple(told["documents"])
        return cls(told["place"], told["phrase"], change, documents)


@dataclass(frozen=True, slots=True)
class ChangedFacts:
    """What changed.

    :param facts: The questions whose answers changed.
    :param documents: All documents that were changed.
    """

    facts: tuple[ChangedFact, ...]
    documents: tuple[str, ...]


def change_facts(
    room: Room,
    documents: Documents,
    questions: Sequence[SuiteQuestion],
    taught: Sequence[int],
    seed: int,
) -> ChangedFacts:
    """Change facts in a fifth of the documents; written beside them, see :func:`put_in_place`.

    A document is changed as its format allows (not PDF, JSON and mail), read again by its
    converter, and taken only if it tells the new value then and not the old one any more.

    :param questions: All questions.
    :param taught: Places of those that an adapter was taught.
    :param seed: Decides which change, and to what.
    """
    aside = room.folder / "changed"
    if aside.is_dir():
        shutil.rmtree(aside)
    texts = _texts(room.base)
    names = names_in(text for one in questions for text in one.accepted)
    most = max(1, math.floor(SHARE * len(documents.files)))
    places = list(taught)
    random.Random(seed).shuffle(places)  # noqa: S311
    facts: list[ChangedFact] = []
    touched: set[str] = set()
    for place in places:
        found = _fact(place, questions[place], documents, texts, names, seed)
        if found is None or len(touched.union(found.documents)) > most:
            continue
        if _rewrite(room, aside, found):
            facts.append(found)
            touched.update(found.documents)
    # A later change of the same document may have undone an earlier one.
    lasting = [one for one in facts if all(_tells(aside / name, one) for name in one.documents)]
    return ChangedFacts(tuple(lasting), tuple(sorted(touched)))


def put_in_place(room: Room, changed: ChangedFacts) -> None:
    """Let the changed documents take the place of the copied ones."""
    for document in changed.documents:
        source, target = room.folder / "changed" / document, room.documents / document
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(source, part)
        # The old file is replaced, never written into.
        part.replace(target)


def _texts(workspace: TrialWorkspace) -> dict[str, str]:
    """Return what the index holds of each document."""
    from agent.assemble import open_store

    store = open_store(workspace, read_only=True)
    texts: dict[str, list[str]] = {}
    try:
        for passage in store.filter_documents():
            texts.setdefault(str(passage.meta["document"]), []).append(passage.content or "")
    finally:
        store.close()
    return {document: plain(" ".join(parts)) for document, parts in texts.items()}


def _says(text: str, phrase: str) -> bool:
    """Whether a text, made plain, has a phrase: whole words of it."""
    said = plain(phrase)
    return said in text and re.search(rf"(?<!\w){re.escape(said)}(?!\w)", text) is not None


def _fact(
    place: int,
    question: SuiteQuestion,
    documents: Documents,
    texts: Mapping[str, str],
    names: Sequence[str],
    seed: int,
) -> ChangedFact | None:
    answer = taught_answer(question)
    for phrase in question.accepted:
        change = change_of(phrase, (seed, place), within=answer, names=names)
        if change is None or change.told(question.question) is not None:
            continue
        holding = {document for document, text in texts.items() if _says(text, phrase)}
        gold = set(documents.names(question.gold_files))
        short = len(phrase.split()) < _FEWEST_WORDS
        if short and not gold and len(holding) > 1:
            continue
        where = holding & gold if short and gold else holding
        suffixes = {Path(document).suffix.lower() for document in where}
        if where and suffixes <= _CHANGEABLE:
            return ChangedFact(place, phrase, change, tuple(sorted(where)))
    return None


def _rewrite(room: Room, aside: Path, fact: ChangedFact) -> bool:
    """Change a fact in its documents, all or none of them; say whether it was done."""
    parts: dict[Path, Path] = {}
    done = True
    for document in fact.documents:
        target = aside / document
        source = target if target.is_file() else room.documents / document
        part = target.with_name(f"part-{target.name}")
        part.parent.mkdir(parents=True, exist_ok=True)
        parts[part] = target
        done = done and _write(source, part, fact.change.apply) and _tells(part, fact)
    for part, target in parts.items():
        if done:
            part.replace(target)
        else:
            part.unlink(missing_ok=True)
    return done


def _write(source: Path, target: Path, change: Callable[[str], str]) -> bool:
    """Write a file as changed; say whether anything did."""
    if source.suffix.lower() in _TEXT:
        try:
            text = source.read_bytes().decode()
        except UnicodeDecodeError:
            return False
        target.write_bytes(change(text).encode())
        return change(text) != text
    changed = False
    try:
        with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w") as written:
            for member in read.infolist():
                content = read.read(member)
                if member.filename.endswith(".xml"):
                    text = content.decode()
                    changed = changed or change(text) != text
                    content = change(text).encode()
                written.writestr(member, content, zipfile.ZIP_DEFLATED)
    except (zipfile.BadZipFile, UnicodeDecodeError):
        return False
    return changed


def _tells(path: Path, fact: ChangedFact) -> bool:
    """Whether a changed file says the new value where it said the old."""
    from pipelines.convert import convert_file

    try:
        text = plain(convert_file(path).text)
    except ConversionError:
        return False
    return _says(text, fact.change.apply(fact.phrase)) and not _says(text, fact.phrase)


def kept(told: Mapping[str, Any]) -> ChangedFacts:
    """Return what :func:`to_keep` made."""
    return ChangedFacts(
        tuple(ChangedFact.from_dict(one) for one in told["facts"]), tuple(told["documents"])
    )


def to_keep(changed: ChangedFacts) -> dict[str, Any]:
    """Return what changed as JSON has it, for :func:`kept`."""
    return {
        "facts": [fact.to_dict() for fact in changed.facts],
        "documents": list(changed.documents),
    }
