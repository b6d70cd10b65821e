"""Turn a conversation into tokens and labels, as the model will meet it when asked."""

from adapters.chat_markup import ChatMarkup
from adapters.errors import GenerationError
from adapters.training.examples import Example

IGNORED = -100


def render(example: Example, markup: ChatMarkup) -> tuple[list[int], list[int]]:
    """Return a conversation's tokens and their labels.

    What stands before the last answer is, token for token, the prompt that generation begins
    from. Labels are the tokens themselves in the assistant's turns, each with the token that
    ends it, and ``-100`` elsewhere: how to ask is not learned.

    :param example: The conversation.
    :param markup: The model's own.
    :raises GenerationError: When the model's template cannot write it.
    """
    messages = example.to_dicts()
    prompt = markup.render(messages[:-1])
    tokens = _with_answer(prompt, markup.render(messages, reply=False), example.answer, markup)
    labels = [IGNORED] * len(tokens)
    for turn, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = prompt if turn == len(messages) - 1 else markup.render(messages[:turn])
        first = len(before)
        if tokens[:first] != before:
            raise GenerationError("the model's chat template rewrites earlier turns: train on one")
        stop = _turn_end(tokens, first, markup)
        labels[first:stop] = tokens[first:stop]
    return tokens, labels


def closed_book(question: str, system: str | None = None) -> list[dict[str, str]]:
    """Return the messages that ask an adapter a question with no sources at hand.

    It is asked with the very words that it was trained on.

    :param question: The question; line breaks and runs of blanks become one blank.
    :param system: The instruction that its training rows had, if any.
    """
    instruction = [{"role": "system", "content": system}] if system else []
    return [*instruction, {"role": "user", "content": " ".join(question.split())}]


def _with_answer(prompt: list[int], whole: list[int], answer: str, markup: ChatMarkup) -> list[int]:
    """Return the prompt with the answer and the token that ends it, and nothing behind."""
    first = len(prompt)
    if whole[:first] == prompt:
        return whole[: _turn_end(whole, first, markup)]
    # An answer whose first letters join the prompt's last token: generation never meets that.
    same = next(
        (at for at, (a, b) in enumerate(zip(prompt, whole, strict=False)) if a != b), len(prompt)
    )
    end = whole[_turn_end(whole, same, markup) - 1]
    return [*prompt, *markup.encode_text(answer), end]


def _turn_end(tokens: list[int], first: int, markup: ChatMarkup) -> int:
    """Return the place after the turn's end token."""
    for at in range(first, len(tokens)):
        if markup.is_special(tokens[at]):
            return at + 1
    raise GenerationError("the model's chat template ends a turn with no token of its own")
