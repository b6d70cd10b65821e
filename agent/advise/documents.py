"""A copy of the documents to try things on: the user's own are read and never written."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.advise.room import digest
from agent.errors import AdviceError
from agent.suite import is_gold
from agent.workspace import Workspace
from pipelines.scan import FoundFile, scan


@dataclass(frozen=True, slots=True)
class Documents:
    """The files of a folder that can be read.

    :param folder: The folder.
    :param files: Those that a converter knows.
    """

    folder: Path
    files: tuple[FoundFile, ...]

    @property
    def digest(self) -> str:
        """What is another when a file is."""
        each = (f"{file.document} {file.size} {file.mtime_ns}" for file in self.files)
        return digest(str(self.folder), *each)

    def copy(self, target: Path) -> None:
        """Copy them; those that are there already are left.

        :raises OSError: When one cannot be copied.
        """
        for file in self.files:
            place = target / file.document
            if place.is_file() and place.stat().st_mtime_ns == file.mtime_ns:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            # Never through what stands there: it may be read-only.
            part = place.with_name(f".{place.name}.part")
            shutil.copy2(file.path, part)
            part.replace(place)

    def names(self, gold_files: Sequence[str]) -> tuple[str, ...]:
        """Return the documents that a question's ``gold_files`` mean."""
        return tuple(file.document for file in self.files if is_gold(file.document, gold_files))


def find_documents(folder: Path, workspace: Workspace, questions: Path) -> Documents:
    """Return the documents of a folder, without the questions' own file and the workspace.

    :raises AdviceError: When there are none.
    """
    if not folder.is_dir():
        raise AdviceError(f"{folder}: no such folder")
    root, asked = folder.resolve(), questions.resolve()
    limits = workspace.settings.index
    exclude = (*limits.exclude, *workspace.own_folders)
    found = scan(root, exclude=exclude, max_bytes=int(limits.max_file_mb * 1e6))
    files = tuple(
        file
        for file in found
        # Whoever finds the answers beside the questions need not read documents.
        if file.reason is None and file.path != asked
    )
    if not files:
        raise AdviceError(
            f"{folder} holds no document that can be read: give a folder of Markdown, HTML, "
            "text, PDF, DOCX, XLSX, CSV or the like"
        )
    return Documents(root, files)
