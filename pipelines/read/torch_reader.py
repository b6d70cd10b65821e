"""The reader in torch: what is trained, and the reference of its export."""

from pathlib import Path

import torch
from torch import Tensor, nn

from pipelines.errors import ReaderError


class TorchReader(nn.Module):
    """Scores of each token to begin and to end the answer; the first token's mean none.

    :param folder: The encoder that it is made from.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel

        super().__init__()
        self.body = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            add_pooling_layer=False,
            dtype=torch.float32,
            # Plain operators, which the graph optimiser knows how to fuse.
            attn_implementation="eager",
        )
        self.head = nn.Linear(self.body.config.hidden_size, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [b, t, 2] of token ids [b, t]; the mask [b, t] is 1 at tokens."""
        states = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        scores: Tensor = self.head(states)
        return scores


def load_reader(folder: Path, weights: Path) -> TorchReader:
    """Return the reader with its trained weights.

    :param folder: The encoder that it is made from.
    :param weights: Safetensors with the tensors that were trained.
    :raises ReaderError: When they do not fit.
    """
    from safetensors.torch import load_file

    reader = TorchReader(folder)
    missing, unexpected = reader.load_state_dict(
        {name: tensor.float() for name, tensor in load_file(weights).items()}, strict=False
    )
    if unexpected or any(name.startswith("head.") for name in missing):
        raise ReaderError(f"{weights} are not the reader's weights")
    return reader.eval()
