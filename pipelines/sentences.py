"""Where the sentences of a passage begin and end.

Rules, not a model: a line break always ends a sentence, since the lines of an extracted
text are its blocks, and a stop ends one unless what stands around it says otherwise
(abbreviations, initials, enumerators, what follows in lower case).
"""

import re

_CLOSERS = "\"'”’»›)\\]}*_」』）】¹²³⁰⁴⁵⁶⁷⁸⁹"
_OPENERS = "\"'“‘„«‹(\\[{*_¿¡「『（【#"


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Words that open a sentence far more often than they continue a name after "Inc." or "U.S.".
_STARTERS = _words(
    "A About According After All Also Although Among An And Another Any Are As At Because Before "
    "Both But By Can Check Did Do Does During Each Early Employees Even Every Few First For From "
    "Had Has Have He Her Here His How However I If In Instead Is It Its Later Many Most Much My "
    "Near Neither Never Next Not Note Now Of On Once One Only Other Others Our Out Over People "
    "Please Several She Should Since So Some Such Than That The Their Then There Therefore These "
    "They This Those Though Through Thus To Today Under Unlike Until Use Was We Were What When "
    "Where Whether Which While Who Why Will With Within Without You Your"
)
# Never the last word of a sentence that goes on with a capital letter.
_NEVER_LAST = _words(
    "dr mr mrs ms mx messrs mme mlle prof gen sen rep gov capt cpt cmdr lt col maj sgt adm rev hon "
    "pres supt insp mt fr e.g eg i.e ie cf vs v viz approx incl esp resp aka a.k.a ca c.f attn "
    "asst assoc dir ste"
)
# Not the last word where a number, a numeral or a single letter follows: "No. 5", "App. B".
_BEFORE_NUMBER = _words(
    "op stat c d b fl no nos nr fig figs eq eqs sec secs sect ch chap art vol vols pp p pg para "
    "par ref refs tab pt app ex exs ver vers ed r rev line col ser item bldg rm reg regs tit subch "
    "subpt cl"
)
# May end a sentence or not; the next word decides.
_MAYBE_LAST = _words(
    "inc ltd co corp llc plc bros gmbh jr sr esq etc al dept univ inst assn natl intl govt ave "
    "blvd rd st hwy ft est ext tel max min avg temp qty misc mfg mfr equip maint hyd elec mech "
    "jan feb mar apr jun jul aug sep sept oct nov dec "
    "mon tue tues wed thu thur thurs fri sat sun ph.d phd"
)
_CLOCK = frozenset({"a.m", "p.m", "am", "pm"})
_AFTER_CLOCK = re.compile(
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?:E|C|M|P|AK|H)[SD]?T|UTC|GMT|Eastern|Central"
    r"|Mountain|Pacific|\d+)\b"
)
# Words whose last letter is a label, not somebody's initial: "hepatitis B. It …".
_LETTERED = _words(
    "vitamin vitamins hepatitis type types class grade group plan option appendix section part "
    "phase stage category figure table level step schedule exhibit form point influenza unit room "
    "gate axis asset model tower site zone team bay line pump valve tank annex tier attachment "
    "war"
)
_NUMERAL = re.compile(r"(?:\d\w*|[A-Z]|[IVXLC]+)\b")
_ENUMERATOR = re.compile(
    r"[-–—•▪◦●*·\s(\[§]*"
    r"(?:\d{1,3}(?:\.\d{1,3})*|[A-Za-z]|[ivxlc]{1,5}|[IVXLC]{1,5}|[Ss]tep \d{1,3})"
)
_DOTTED = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]")
# A table's row, short enough to be told whole: what a cell says is nothing without the others.
_ROW = re.compile(r"^(?=.{1,400}$).*? \| .*$", re.MULTILINE)
_NEXT = re.compile(rf"(?:[-–—]\s?)?[{_OPENERS}]{{0,6}}(\w[\w’']{{0,30}})?")

_CANDIDATE = re.compile(
    # One class first, so that the scan runs over it at full speed.
    r"[\n.!?…؟।。！？｡]"
    r"(?:(?<=\n)"
    rf"|(?<=[。！？｡])[。！？｡]*+[{_CLOSERS}]*+\s*+"
    # The look-behind makes a run of stops one candidate: long dot leaders stay linear.
    rf"|(?<![.!?…][.!?…])(?P<more>[.!?…]*+)(?P<close>(?:[{_CLOSERS}]|\[[^\]\n]{{1,24}}\])*+)"
    r"(?:\s++|\Z)"
    # A space lost in extraction: "it failed.The pump".
    r"|(?<=[a-z]{2}[.!?])(?=(?:The|This|These|It|In|If|When|However|He|She|They|We|You|A|An)\s))"
)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Find the sentences of a text.

    Written for English and for texts that mix in others; full stops of Chinese, Japanese,
    Hindi and Arabic are known. A table's row of up to 400 characters is one.

    :param text: Any text; a line break in it ends a sentence.
    :returns: Offsets ``(start, end)`` in order, without white space at their ends; every
        character that is not white space lies in exactly one of them.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    rows = _ROW.finditer(text) if " | " in text else iter(())
    row = next(rows, None)
    for match in _CANDIDATE.finditer(text):
        while row is not None and row.end() < match.end():
            row = next(rows, None)
        within_row = row is not None and row.start() <= match.start()
        if not within_row and _ends_sentence(text, start, match):
            _append(spans, text, start, match.end())
            start = match.end()
    _append(spans, text, start, len(text))
    return spans


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        spans.append((start, end))


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    found = match[0]
    if "\n" in found or match["more"] is None or match.end() == len(text):
        return True
    following = _NEXT.match(text, match.end())
    assert following is not None  # noqa: S101 - every part of the pattern is optional
    word = following[1] or ""
    many_stops = len(match["more"]) > 0 or found[0] != "."
    if word and word[0].islower():
        # "Stop!" he said – but: does it leak? check the hose; a. open it. b. close it.
        enumerator = len(word) == 1 and text[following.end() : following.end() + 2] in (". ", ") ")
        return enumerator or (found[0] in "!?؟।" and not match["close"])
    if many_stops:
        return True
    return _full_stop_ends_sentence(text, start, match.start(), word, match.end())


def _full_stop_ends_sentence(text: str, start: int, at: int, word: str, after: int) -> bool:
    """Judge a single full stop before a capital letter, a digit or a symbol.

    :param start: Where the sentence begins.
    :param at: Where the stop stands.
    :param word: The word that follows, empty if a symbol does.
    :param after: Where what follows begins.
    """
    before = text[max(start, at - 48) : at]
    if not before or before[-1].isspace():
        return True
    if at - start <= 16 and _ENUMERATOR.fullmatch(text, start, at):
        return False
    tokens = before.split()
    last = tokens[-1].lstrip("\"'“‘„«([{*_")
    previous = tokens[-2] if len(tokens) > 1 else ""
    if last.isdigit() and len(last) <= 2 and previous.endswith((":", ";")):
        return False
    low = last.lower()
    if low in _NEVER_LAST:
        return False
    if low in _BEFORE_NUMBER and _NUMERAL.fullmatch(word) and word != "I":
        return False
    if low in _CLOCK:
        return not _AFTER_CLOCK.match(text, after)
    initial = len(last) == 1 and last.isalpha() and (last.isupper() or low == "p")
    if initial and previous.lower().lstrip("(") in _LETTERED:
        return True
    if initial or low in _MAYBE_LAST or _DOTTED.fullmatch(last):
        return _starts_sentence(text, word, after)
    return True


def _starts_sentence(text: str, word: str, after: int) -> bool:
    if word in ("A", "I"):
        # "J. A. Smith" is one name.
        at = text.find(word, after) + 1
        return not text.startswith(".", at)
    return word in _STARTERS or word.split("'")[0].split("’")[0] in _STARTERS
