"""Whether a text says what a sentence says, by a cross-encoder of natural language inference."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from pipelines.embed.model_files import find_model
from pipelines.errors import EmbedderError, GroundingError

Verdict = Literal["entailment", "neutral", "contradiction"]
Entails = Callable[[Sequence[tuple[str, str]]], list[Verdict]]
"""Returns the verdict on each pair of a text and a sentence."""

_LONGEST = 512
_BATCH = 16


class EntailmentModel:
    """A sequence-classification cross-encoder, loaded when first used.

    Which class means what is read from the model's own ``id2label``; the likeliest one is the
    verdict. Weights are safetensors only, and code that comes with a model is never run.

    :param name: Its folder, or its hub id such as ``cross-encoder/nli-deberta-v3-small``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._loaded: tuple[Any, Any, list[Verdict], int] | None = None

    def warm_up(self) -> None:
        """Load the model.

        :raises GroundingError: When it cannot be found or loaded, or does not judge entailment.
        """
        if self._loaded is not None:
            return
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            folder = find_model(self.name).folder
            tokenizer = AutoTokenizer.from_pretrained(folder, **options)
            model, info = AutoModelForSequenceClassification.from_pretrained(
                folder,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
                **options,
            )
        except EmbedderError as error:
            raise GroundingError(f"answer.nli: {error}") from None
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise GroundingError(f"answer.nli: cannot load {self.name}: {reason}") from None
        labels = [str(model.config.id2label[n]) for n in range(model.config.num_labels)]
        verdicts = [_verdict(label) for label in labels]
        if info["missing_keys"] or "entailment" not in verdicts:
            raise GroundingError(
                f"answer.nli: {self.name} has no class for entailment (it has "
                f"{', '.join(labels)}): give a cross-encoder that was trained on inference"
            )
        longest = getattr(model.config, "max_position_embeddings", _LONGEST)
        self._loaded = tokenizer, model.eval(), verdicts, min(longest, _LONGEST)

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        """Return the verdict on each pair of a text and a sentence; a long text is cut.

        :raises GroundingError: When the model cannot be loaded.
        """
        import torch

        self.warm_up()
        assert self._loaded is not None  # noqa: S101
        tokenizer, model, verdicts, longest = self._loaded
        found: list[Verdict] = []
        for start in range(0, len(pairs), _BATCH):
            texts, sentences = zip(*pairs[start : start + _BATCH], strict=True)
            batch = tokenizer(
                list(texts),
                list(sentences),
                truncation="only_first",
                max_length=longest,
                padding=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                classes = model(**batch).logits.argmax(dim=-1).tolist()
            found += [verdicts[each] for each in classes]
        return found


def _verdict(label: str) -> Verdict:
    if label.lower().startswith("entail"):
        return "entailment"
    return "contradiction" if label.lower().startswith("contradict") else "neutral"
