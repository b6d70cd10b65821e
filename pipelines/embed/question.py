"""The question's embedder as a Haystack component."""

from typing import Any

from haystack import component, default_from_dict, default_to_dict
from haystack.utils import Secret, deserialize_secrets_inplace

from pipelines.embed.embedder import Embedder, TokenStates
from pipelines.embed.opening import open_embedder


@component
class QuestionEmbedder:
    """Embeds a question, by the same model that made the index's vectors.

    :param model: An embedder's name; see :func:`pipelines.embed.open_embedder`.
    :param api_key: Key of an API model.
    :param api_base_url: Address of an API model's server.
    :param dimensions: Length of an API model's vectors.
    """

    def __init__(
        self,
        model: str = "minilm",
        *,
        api_key: Secret | None = None,
        api_base_url: str | None = None,
        dimensions: int | None = None,
    ) -> None:
        self.model = model
        self.api_key = api_key
        self.api_base_url = api_base_url
        self.dimensions = dimensions
        self._embedder: Embedder | None = None

    @property
    def embedder(self) -> Embedder:
        """The embedder itself, opened when first used.

        :raises EmbedderError: When it cannot be loaded or reached.
        """
        if self._embedder is None:
            self._embedder = open_embedder(
                self.model,
                api_key=self.api_key,
                api_base_url=self.api_base_url,
                dimensions=self.dimensions,
            )
        return self._embedder

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component; of a key its place is written, never the key."""
        data: dict[str, Any] = default_to_dict(
            self,
            model=self.model,
            api_key=self.api_key.to_dict() if self.api_key else None,
            api_base_url=self.api_base_url,
            dimensions=self.dimensions,
        )
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "QuestionEmbedder":
        """Make a component of what :meth:`to_dict` returned."""
        deserialize_secrets_inplace(data["init_parameters"], ["api_key"])
        question: QuestionEmbedder = default_from_dict(cls, data)
        return question

    def warm_up(self) -> None:
        """Load the model."""
        _ = self.embedder

    @component.output_types(embedding=list[float], tokens=TokenStates | None)
    def run(self, text: str) -> dict[str, Any]:
        """Return the question's vector, and its token states where the model gives them.

        :param text: The question.
        """
        encoding = self.embedder.embed_query(text)
        return {"embedding": encoding.vector.tolist(), "tokens": encoding.tokens}
