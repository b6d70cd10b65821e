"""Markdown: CommonMark with tables, footnotes, definition lists and embedded HTML."""

import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.tasklists import tasklists_plugin

from pipelines.convert import html
from pipelines.convert.encoding import decode
from pipelines.convert.extracted import Extracted, ExtractedBuilder
from pipelines.convert.front_matter import add_front_matter
from pipelines.convert.html_hidden import Visibility
from pipelines.convert.liquid import strip_liquid
from pipelines.errors import ConversionError

_TAG = re.compile(r"</?([A-Za-z][\w-]*)")
# What HTML knows; `<name>` of any other kind is a placeholder that the author wrote.
_ELEMENTS = frozenset(
    "a abbr acronym address area article aside audio b base bdi bdo big blockquote "  # noqa: SIM905
    "body br button canvas caption center cite code col colgroup data datalist dd del details dfn "
    "dialog div dl dt "
    "em embed fieldset figcaption figure font footer form frame frameset g h1 h2 h3 h4 h5 h6 head "
    "header hr html i iframe img input ins kbd label legend li link main map mark menu meta meter "
    "nav noscript object ol optgroup option output p param path picture pre progress q rect rp rt "
    "ruby s samp script section select slot small source span strike strong style sub summary sup "
    "svg table tbody td template text textarea tfoot th thead time title tr track tt u ul use var "
    "video wbr".split()
)


def convert(path: Path) -> Extracted:
    """Turn a Markdown file into text with its structure.

    Front matter becomes properties; template tags give way to what they show; embedded
    HTML follows the rules of :mod:`pipelines.convert.html`.

    :raises ConversionError: When it is not text.
    """
    text, notice = decode(path.read_bytes())
    builder = ExtractedBuilder()
    if notice:
        builder.notice(notice)
    add_markdown(builder, text)
    return builder.build()


def add_markdown(builder: ExtractedBuilder, text: str) -> None:
    """Append a Markdown document: its front matter, its title, its text."""
    body = strip_liquid(add_front_matter(builder, text), builder.properties)
    if not body.strip():
        return
    try:
        page = html.parse(_parser().render(body), builder)
    except ConversionError:
        # Nothing but comments and definitions of links.
        return
    except RecursionError:
        raise ConversionError("nested too deeply") from None
    seen = Visibility(page)
    if builder.title is None:
        builder.title = seen.main_heading(page) or builder.properties.get("label")
    html.add_body(builder, page, seen)


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": 100}).enable(
        ["table", "strikethrough"]
    )
    parser.use(footnote_plugin).use(deflist_plugin).use(tasklists_plugin)
    parser.add_render_rule("html_inline", _html_inline)
    # Addresses of links are not indexed: no time is spent on checking and encoding them.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    return parser


def _html_inline(
    self: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    content = tokens[index].content
    tag = _TAG.match(content)
    if tag and tag[1].lower() not in _ELEMENTS and "-" not in tag[1]:
        return escape(content) if not content.startswith("</") else ""
    return content
