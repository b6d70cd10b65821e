"""Write docs/api.md from the docstrings of what programs call; a test compares the two."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CALLED = {
    "Ask": [
        "agent.expert.Expert",
        "agent.expert.Question",
        "agent.expert.Reply",
        "agent.expert.Failure",
        "agent.expert.AnswerStream",
        "agent.workspace.Workspace",
    ],
    "Index and search": [
        "agent.assemble.open_indexer",
        "agent.assemble.open_pipeline",
        "pipelines.index.Indexer",
        "pipelines.index_report.IndexReport",
        "pipelines.search.search",
        "pipelines.search.Hit",
        "pipelines.retrieval_pipeline.build",
        "pipelines.retrieval_pipeline.load",
        "pipelines.answer.Answer",
        "pipelines.answer.Citation",
    ],
    "Count": [
        "pipelines.tables.tables.Tables",
        "pipelines.tables.query.TableQuery",
        "pipelines.tables.query.Filter",
        "pipelines.tables.tables.TableResult",
        "pipelines.tables.answer.TableAnswerer",
    ],
    "Route": [
        "agent.router.router.Router",
        "agent.router.decision.Decision",
        "agent.router.component.QuestionRouter",
    ],
    "Haystack components": [
        "pipelines.generators.PhiChatGenerator",
        "pipelines.phi3.Phi3Answerer",
        "pipelines.quote.QuoteAnswerer",
        "pipelines.closed_book.AdapterAnswerer",
        "pipelines.agent_answerer.AgentAnswerer",
        "pipelines.agent_answerer.Worked",
        "pipelines.agent_tools.SearchTool",
        "pipelines.agent_tools.adapter_tool",
        "pipelines.agent_tools.table_tool",
    ],
    "Models and adapters": [
        "adapters.models.find_model",
        "adapters.base.load_model",
        "adapters.generate.TextGenerator",
        "adapters.host.AdapterHost",
        "adapters.scheduler.Scheduler",
        "adapters.registry.Registry",
        "adapters.export.export_adapter",
        "adapters.intake.import_adapter",
        "adapters.training.config.TrainingConfig",
        "adapters.training.config.TrainingResult",
        "adapters.training.run.train",
    ],
}
_FIELD = re.compile(r"^:(param|raises|returns?)\s*([^:]*):\s*", re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?([^`]+)`")


def reference() -> str:
    """Return the whole reference as Markdown."""
    parts = ["# Python API\n", "Made from the docstrings by `make docs`.\n"]
    for heading, names in _CALLED.items():
        parts.append(f"## {heading}\n")
        for name in names:
            parts += _described(name)
    return "\n".join(parts)


def _described(name: str) -> Iterator[str]:
    module, _, own = name.rpartition(".")
    thing = getattr(importlib.import_module(module), own)
    yield f"### {own}\n\n`from {module} import {own}`\n\n{_signature(own, thing)}\n"
    yield _text(thing)
    if inspect.isclass(thing):
        for method, value in vars(thing).items():
            made = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            if method.startswith("_") or method in ("to_dict", "from_dict"):
                continue
            if inspect.isfunction(made) and made.__doc__:
                yield f"#### {own}.{method}\n\n{_signature(method, made)}\n"
                yield _text(made)


def _signature(name: str, thing: Any) -> str:
    # Haystack hides the parameters of a component's class.
    signature = inspect.signature(thing.__init__ if inspect.isclass(thing) else thing)
    parameters = [
        one.replace(annotation=inspect.Parameter.empty)
        for one in signature.parameters.values()
        if one.name not in ("self", "cls")
    ]
    shown = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    return f"`{name}{shown}`"


def _text(thing: Any) -> str:
    """Return a docstring as Markdown, its fields as a list."""
    text = _ROLE.sub(r"`\1`", inspect.getdoc(thing) or "").replace("``", "`")
    head, *fields = _FIELD.split(text)
    listed = [
        f"- {_label(kind, name)}: {' '.join(said.split())}"
        for kind, name, said in zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    ]
    return "\n".join([head.rstrip() + "\n", *listed]).rstrip() + "\n"


def _label(kind: str, name: str) -> str:
    if kind == "param":
        return f"`{name}`"
    return f"raises `{name}`" if name else "returns"


if __name__ == "__main__":
    Path(__file__).with_name("api.md").write_text(reference(), encoding="utf-8")
