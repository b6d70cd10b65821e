"""What an adapter is trained on: conversations, and what was wrong with the rest."""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    :param role: ``system``, ``user`` or ``assistant``.
    :param content: What is said.
    """

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation to learn from; its last turn is the assistant's.

    :param messages: The turns, in order. What the assistant says is learned, nothing else.
    :param line: Line of the file that it stands on, from 1.
    :param context: Passages that the answer rests on, where the row brought them.
    :param domain: What the row is about, in the user's own word, or None.
    :param sources: Documents that the answer rests on.
    """

    messages: tuple[Message, ...]
    line: int
    context: tuple[str, ...] = ()
    domain: str | None = None
    sources: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """What the user said last."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def answer(self) -> str:
        """What the assistant says last."""
        return self.messages[-1].content

    @property
    def has_one_question(self) -> bool:
        """Whether it is one question and its answer, with nothing said before."""
        roles = [message.role for message in self.messages if message.role != "system"]
        return roles == ["user", "assistant"]

    def to_dicts(self) -> list[dict[str, str]]:
        """Return the turns as a chat template reads them."""
        return [{"role": m.role, "content": m.content} for m in self.messages]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row was left out.

    :param path: The file.
    :param line: The line in it, from 1.
    :param field: The field at fault, or None for the row as a whole.
    :param message: What is wrong, in words.
    """

    path: str
    line: int
    field: str | None
    message: str

    def __str__(self) -> str:
        at_fault = f"{self.field}: " if self.field else ""
        return f"{self.path}: line {self.line}: {at_fault}{self.message}"


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The rows of a file that can be learned from, and what was left out of it.

    :param path: The file.
    :param examples: The rows that are well formed, in the file's order.
    :param problems: The rows left out, and why.
    :param warnings: What is worth knowing, but no reason to leave a row out.
    :param sha256: Hash of the file as it was read.
    """

    path: str
    examples: tuple[Example, ...]
    problems: tuple[Problem, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())
    sha256: str = ""

    def without(
        self, problems: tuple[Problem, ...], warnings: tuple[str, ...] = ()
    ) -> "TrainingData":
        """Return the data with further rows left out.

        :param problems: One for each row to leave out, of this file.
        :param warnings: Further warnings.
        """
        left_out = {problem.line for problem in problems}
        return replace(
            self,
            examples=tuple(e for e in self.examples if e.line not in left_out),
            problems=tuple(sorted((*self.problems, *problems), key=lambda p: p.line)),
            warnings=(*self.warnings, *warnings),
        )
