"""Front matter: the facts that a Markdown file states about itself, made readable."""

import re
import tomllib
from collections.abc import Iterator, Mapping

import yaml

from pipelines.convert.extracted import ExtractedBuilder, clean

_YAML = re.compile(
    r"\A---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)
_TOML = re.compile(r"\A\+\+\+[ \t]*\r?\n(.*?)^\+\+\+[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
# A fact up to this long stays one block; a longer one is taken apart.
_BLOCK_CHARACTERS = 400
# An alias may stand for a tree of aliases: what is written out is bounded.
_NODES = 20_000
_NAMES = ("name", "title", "tag", "id", "label")
# What only the site's generator reads; kept as properties, not as text to search.
_PLUMBING = frozenset("layout permalink redirect_from published sitemap".split())  # noqa: SIM905
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def add_front_matter(builder: ExtractedBuilder, text: str) -> str:
    """Append the facts at the top of a Markdown file, one block each.

    Everything stays text as written: no date, number or truth value is guessed, no YAML
    tag constructs anything.

    :param builder: Receives title, properties and blocks; a notice when it is not valid.
    :param text: The whole file.
    :returns: The text below it.
    """
    found = _YAML.match(text) or _TOML.match(text)
    if found is None:
        return text
    facts: object
    try:
        if text.startswith("+"):
            facts = tomllib.loads(found[1])
        else:
            facts = yaml.load(found[1], Loader=_Loader)  # noqa: S506 - BaseLoader makes only text
    except (yaml.YAMLError, tomllib.TOMLDecodeError, RecursionError):
        facts = None
    if isinstance(facts, Mapping):
        for name, value in facts.items():
            _add_fact(builder, str(name), value)
    elif found[1].strip():
        if text.startswith("---") and facts is not None:
            # Text between two rulers, not facts.
            return text
        builder.notice("front matter is not valid and was kept as text")
        for line in found[1].splitlines():
            builder.add("property", line)
    return text[found.end() :]


def _add_fact(builder: ExtractedBuilder, name: str, value: object) -> None:
    budget = [_NODES]
    if not isinstance(value, Mapping) and not _has_mappings(value):
        shown = _inline(value, budget)
        if name.lower() == "title":
            builder.title = builder.title or shown or None
        if name.lower() in _PLUMBING:
            builder.properties[name] = shown
        else:
            builder.add_property(name, shown)
        return
    for block in _blocks(name, value, budget):
        builder.add("property", block)
    if budget[0] < 0:
        builder.notice(f"front matter: {name} is too large and was cut")


def _has_mappings(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(one, Mapping | list) for one in value)


def _inline(value: object, budget: list[int]) -> str:
    """Write a fact in one line: ``tag: S; optional: true; values: (tag: index; type: int)``."""
    budget[0] -= 1
    if budget[0] < 0:
        return ""
    if isinstance(value, Mapping):
        parts = ((str(key), one, _inline(one, budget)) for key, one in value.items())
        return "; ".join(
            f"{key}: ({shown})"
            if isinstance(one, Mapping) or _has_mappings(one)
            else f"{key}: {shown}"
            for key, one, shown in parts
            if shown
        )
    if isinstance(value, list):
        shown = (_inline(one, budget) for one in value)
        return ("), (" if _has_mappings(value) else ", ").join(filter(None, shown))
    return "" if value is None else clean(str(value))


def _blocks(path: str, value: object, budget: list[int]) -> Iterator[str]:
    """Write a nested fact in blocks, each with the names that lead to it."""
    whole = _inline(value, budget)
    if not whole:
        return
    nested = isinstance(value, Mapping) or _has_mappings(value)
    if not nested or (len(whole) <= _BLOCK_CHARACTERS and not isinstance(value, list)):
        yield f"{path}: {whole}"
        return
    if isinstance(value, Mapping):
        own = {key: one for key, one in value.items() if len(_inline(one, budget)) <= 200}
        if shown := _inline(own, budget):
            yield f"{path}: {shown}"
        for key, one in value.items():
            if key not in own:
                yield from _blocks(f"{path} > {key}", one, budget)
    elif isinstance(value, list):
        for one in value:
            label = ""
            if isinstance(one, Mapping) and len(_inline(one, budget)) > _BLOCK_CHARACTERS:
                label = next((str(one[n]) for n in _NAMES if isinstance(one.get(n), str)), "")
            yield from _blocks(f"{path} > {label}" if label else path, one, budget)
