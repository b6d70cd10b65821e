from pathlib import Path

import pytest

from pipelines.convert.extracted import Extracted
from pipelines.convert.html import convert
from pipelines.errors import ConversionError


def page(tmp_path: Path, body: str | bytes, head: str = "") -> Extracted:
    path = tmp_path / "page.html"
    if isinstance(body, str):
        body = f"<html><head>{head}</head><body>{body}</body></html>".encode()
    path.write_bytes(body)
    return convert(path)


def blocks(extracted: Extracted) -> list[tuple[str, int, str]]:
    return [(b.kind, b.level, extracted.text[b.start : b.end]) for b in extracted.blocks]


def texts(extracted: Extracted, kind: str) -> list[str]:
    return [text for known, _, text in blocks(extracted) if known == kind]


def test_structure_is_kept(tmp_path: Path) -> None:
    got = page(
        tmp_path,
        "<h1>Pumps</h1><p>A <b>pump</b> moves<br>water.</p>"
        "<ol start=3><li>Open<ul><li>slowly</ul><li>Close</ol>"
        "<blockquote><p>Quoted.</p></blockquote><pre>a\n  b</pre>"
        "<dl><dt>Bar<dd>A unit.</dl>"
        "<figure><img src=x alt='Cut through a pump'><figcaption>Figure 1</figcaption></figure>"
        "<details><summary>More</summary>Inside</details>",
    )
    assert blocks(got) == [
        ("heading", 1, "Pumps"),
        ("paragraph", 0, "A pump moves water."),
        ("list_item", 0, "3. Open"),
        ("list_item", 1, "slowly"),
        ("list_item", 0, "4. Close"),
        ("paragraph", 0, "Quoted."),
        ("code", 0, "a\n  b"),
        ("list_item", 0, "Bar: A unit."),
        ("paragraph", 0, "Cut through a pump"),
        ("caption", 0, "Figure 1"),
        ("paragraph", 0, "More"),
        ("paragraph", 0, "Inside"),
    ]
    assert got.title == "Pumps"


def test_tables_name_each_value(tmp_path: Path) -> None:
    got = page(
        tmp_path,
        "<table><caption>Sizes</caption><thead><tr><th rowspan=2>Name<th colspan=2>Size"
        "<tr><th>Width<th>Height</thead>"
        "<tr><td rowspan=2>A<td>1<td>2<tr><td>3<td>4<tr><td colspan=3>Spare parts</table>"
        "<table><tr><td>no<td>names</table><table><tr><th>Weight<td>5 kg</table>",
    )
    assert texts(got, "caption") == ["Sizes"]
    assert texts(got, "table_row") == [
        "Name: A | Size / Width: 1 | Size / Height: 2",
        "Name: A | Size / Width: 3 | Size / Height: 4",
        "Spare parts",
        "no | names",
        "Weight: 5 kg",
    ]


def test_names_of_empty_columns_are_kept(tmp_path: Path) -> None:
    got = page(tmp_path, "<table><tr><th>Part<th>Signature<tr><td>Bolt<td></table>")
    assert texts(got, "table_row") == ["Part | Signature", "Part: Bolt"]


def test_a_table_that_lays_out_the_page_is_read_as_text(tmp_path: Path) -> None:
    got = page(tmp_path, "<table><tr><td><h2>News</h2><p>Today</p><td>Aside</table>")
    assert [(kind, text) for kind, _, text in blocks(got)] == [
        ("heading", "News"),
        ("paragraph", "Today"),
        ("paragraph", "Aside"),
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>SECRET</p>",
        "<p aria-hidden=true>SECRET</p>",
        "<p style='display: none'>SECRET</p>",
        "<p style='visibility:hidden'>SECRET</p>",
        "<p style='font-size:0'>SECRET</p>",
        "<p style='font-size:1px'>SECRET</p>",
        "<p style='opacity:0'>SECRET</p>",
        "<p style='position:absolute;left:-9999px'>SECRET</p>",
        "<p style='color:#fff'>SECRET</p>",
        "<p style='color:rgb(255, 255, 255)'>SECRET</p>",
        "<p style='color:#000;background:black'>SECRET</p>",
        "<p style='color:#fefefe'>SECRET</p>",
        "<div style='color:white'>SECRET<p>SECRET</div>",
        "<p style='color:#fff0'>SECRET</p>",
        "<div style='background:#ddd'><p style='color:rgb(87%, 87%, 87%)'>SECRET</p></div>",
        "<p style='max-height:0;overflow:hidden'>SECRET</p>",
        "<p style='overflow: hidden; height: 0px'>SECRET</p>",
        "<p style='transform:scale(0)'>SECRET</p>",
        "<p style='position:absolute;bottom:-9999px'>SECRET</p>",
        "<style>.x{display:none}</style><p class=x>SECRET</p>",
        "<style>.x{color:#fff}</style><p class=x>SECRET</p>",
        "<style>body{background:#eee} .x, .y{color:#efefef}</style><ul><li class=y>SECRET</ul>",
        "<style>.x{color:#fff}</style><p class=x><input value=SECRET style='color:#fff'></p>",
        "<pre>a<span hidden>SECRET</span><script>SECRET()</script></pre>",
        "<table><tr><td>a<td>b<tbody style='display:none'><tr><td>SECRET<td>d</table>",
        "<table><thead hidden><tr><th>SECRET<th>d<tbody><tr><td>a<td>b</table>",
        "<svg><g style='display:none'><text>SECRET</text></g><text hidden>SECRET</text></svg>",
        "<select><option hidden>SECRET<option>a</select>",
        "<table><tr><td>a<td>b<tr style='display:none'><td>SECRET<td>d</table>",
        "<script>SECRET</script><template>SECRET</template><nav>SECRET</nav>",
        "<input type=hidden value=SECRET>",
        "<!-- SECRET -->",
    ],
)
def test_what_a_reader_does_not_see_is_left_out(tmp_path: Path, hidden: str) -> None:
    got = page(tmp_path, f"<p>Seen.</p>{hidden}<p>Also seen.</p>")
    assert "SECRET" not in got.text
    assert "Seen." in got.text
    assert "Also seen." in got.text


@pytest.mark.parametrize(
    "shown",
    [
        "<div style='background:#036'><p style='color:#fff'>SHOWN</p></div>",
        "<style>.dark{background:#036}</style><p class=dark style='color:white'>SHOWN</p>",
        "<button aria-controls=a>Open</button><div id=a hidden>SHOWN</div>",
        "<style>@media print{.x{display:none}}</style><p class=x>SHOWN</p>",
        "<style>.x{color:#fff}</style><div class=x><p style='background:#036'>SHOWN</div>",
        "<style>.x{color:#fff} .bar .x{background:#036}</style><p class=x>SHOWN</p>",
        "<style>.x{color:#fff} @media (width>9em){.x{background:#036}}</style><p class=x>SHOWN</p>",
        "<style>.x{color:#fff} .light .x{color:#333}</style><p class='light x'>SHOWN</p>",
        "<link rel=stylesheet href=a.css><style>.x{color:#fff}</style><p class=x>SHOWN</p>",
        "<div style='color:#fff'>Hidden.<p style='color:#333'>SHOWN</p></div>",
        "<div style='color:#fff'><a href=b>SHOWN</a></div>",
        "<p style='color:transparent;background:linear-gradient(red, blue);"
        "-webkit-background-clip:text'>SHOWN</p>",
        "<p style='height:0;padding-top:50%;overflow:hidden'>SHOWN</p>",
        "<style>.x{max-height:0;overflow:hidden;transition:max-height .2s}</style>"
        "<button>More</button><div class=x>SHOWN</div>",
        "<p style='transform:scale(0.5)'>SHOWN</p>",
        "<p style='color:#fff'><svg><text>SHOWN</text></svg></p>",
        "<body bgcolor=black text=white><font color=red>Red.</font>SHOWN",
        "<p style='opacity:0.5'>SHOWN</p>",
        "<p style='font-size:10px'>SHOWN</p>",
    ],
)
def test_what_a_reader_sees_is_kept(tmp_path: Path, shown: str) -> None:
    assert "SHOWN" in page(tmp_path, shown).text


def test_facts_become_properties(tmp_path: Path) -> None:
    got = page(
        tmp_path,
        "<h1>Manual</h1>",
        "<title>Pump manual</title><meta name=description content='How to run it'>"
        "<meta name=author content=Ann><meta property='article:published_time' content=2024-05-01>",
    )
    assert got.title == "Pump manual"
    assert got.properties == {"description": "How to run it", "author": "Ann", "date": "2024-05-01"}
    assert "title: Pump manual" in texts(got, "property")
    assert "description: How to run it" in texts(got, "property")


def test_a_hidden_heading_is_no_title(tmp_path: Path) -> None:
    got = page(
        tmp_path,
        "<div hidden><h1>SECRET</h1></div><h1 style='display:none'>SECRET</h1>"
        "<h1>Pump <span hidden>SECRET</span>manual</h1>",
    )
    assert (got.title, got.text) == ("Pump manual", "Pump manual")


def test_a_page_of_links_only_is_read(tmp_path: Path) -> None:
    got = page(tmp_path, "<nav><ul><li><a href=a>First chapter</a></ul></nav>")
    assert texts(got, "list_item") == ["First chapter"]


def test_small_signs_keep_their_meaning(tmp_path: Path) -> None:
    got = page(tmp_path, "<p>10<sup>5</sup> H<sub>2</sub>O 19<sup>th</sup></p>")
    assert got.text == "10⁵ H2O 19th"


def test_the_declared_encoding_is_used(tmp_path: Path) -> None:
    body = '<meta charset="windows-1251"><p>Уровень масла</p>'.encode("cp1251")
    assert page(tmp_path, body).text == "Уровень масла"


def test_latin_1_is_read_as_browsers_do(tmp_path: Path) -> None:
    body = '<meta charset="iso-8859-1"><p>“Good” – 5 €</p>'.encode("cp1252")
    got = page(tmp_path, body)
    assert (got.text, got.notices) == ("“Good” – 5 €", ())


def test_footnotes_are_items_of_a_list_or_read_as_they_stand(tmp_path: Path) -> None:
    got = page(
        tmp_path,
        "<div class='has-footnotes'><p>Text.</p><ul><li>item</ul></div>"
        "<div class='footnotes'><p>* Without tax.</p></div>"
        "<section class='end footnotes'><hr><ol><li>First<ul><li>inner</ul>"
        "<li hidden>SECRET<li>Second</ol></section>",
    )
    assert [(kind, text) for kind, _, text in blocks(got)] == [
        ("paragraph", "Text."),
        ("list_item", "item"),
        ("paragraph", "* Without tax."),
        ("footnote", "[1] First"),
        ("list_item", "inner"),
        ("footnote", "[2] Second"),
    ]


@pytest.mark.parametrize(
    "large",
    [
        "<img src='data:image/png;base64,{}' alt='A pump'>",
        "<style>@font-face {{src: url(data:font/woff2;base64,{})}}</style>A pump",
        "<script>let rows = '{}'</script>A pump",
    ],
)
def test_what_stands_after_something_very_large_is_read(tmp_path: Path, large: str) -> None:
    got = page(tmp_path, f"<p>Before.</p>{large.format('iVBORw0KGg+/' * 900_000)}<p>After.</p>")
    assert texts(got, "paragraph") == ["Before.", "A pump", "After."]
    assert got.notices == ()


def test_an_empty_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="the file is empty"):
        page(tmp_path, b"  \n ")


def test_deep_nesting_is_read_or_said(tmp_path: Path) -> None:
    assert page(tmp_path, "<div>" * 200 + "deep" + "</div>" * 200).text == "deep"
    got = page(tmp_path, "<p>first</p>" + "<div>" * 5000 + "lost")
    assert got.text == "first"
    assert got.notices == ("nested too deeply: what stands below 256 levels was left out",)
    with pytest.raises(ConversionError, match=r"^nested too deeply$"):
        page(tmp_path, "<div>" * 5000 + "lost")


def test_labelled_lines_below_one_another_are_a_paragraph_each(tmp_path: Path) -> None:
    got = page(tmp_path, "<p><b>Phone:</b> 01632 960 114<br>\nDeposit: 60 euros<br>Key: hook 4</p>")
    assert texts(got, "paragraph") == ["Phone: 01632 960 114", "Deposit: 60 euros", "Key: hook 4"]
