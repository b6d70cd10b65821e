"""The conversation before a question, as a file tells it."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from agent.follow_up import Turn

Words = Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]


class Said(BaseModel):
    """A question of the conversation before, and what was answered."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: Words
    answer: str | None = None


def turns(history: Iterable[Said]) -> tuple[Turn, ...]:
    """Return a conversation as the expert takes it, oldest first."""
    return tuple(Turn(said.question, said.question, said.answer) for said in history)
