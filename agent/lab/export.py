"""Write a trained reading delta as it ships: half precision, and nothing beside it."""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.export import halve
from adapters.lab import write_taught
from adapters.lab_reading import Reading
from adapters.lora_files import CONFIG, WEIGHTS, read_config
from agent.errors import LabError


@dataclass(frozen=True, slots=True)
class Shipped:
    """What was written.

    :param bytes: Size of the delta.
    :param sha256: Its hash.
    :param model_sha256: Hash of the model's weights once it is merged into them.
    """

    bytes: int
    sha256: str
    model_sha256: str


def export(source: Path, target: Path) -> Shipped:
    """Write a delta in half precision.

    :param source: Folder of a training's result.
    :param target: Where to; made if missing.
    :raises LabError: When there is no delta.
    :raises AdapterError: When its configuration is unreadable, or it holds a number too large
        for half precision.
    """
    read_config(source)
    if not (source / WEIGHTS).is_file():
        raise LabError(f"{source} holds no {WEIGHTS}: has the training ended?")
    target.mkdir(parents=True, exist_ok=True)
    halve(source / WEIGHTS, target / WEIGHTS)
    config = json.loads((source / CONFIG).read_text(encoding="utf-8"))
    # Where it was trained is nobody's business.
    config["base_model_name_or_path"] = "lab-bare"
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (target / CONFIG).write_text(text, encoding="utf-8")
    with TemporaryDirectory() as folder:
        reading = Reading(target)
        merged = write_taught(Path(folder) / "model.safetensors", reading)
    return Shipped((target / WEIGHTS).stat().st_size, reading.digest, merged)
