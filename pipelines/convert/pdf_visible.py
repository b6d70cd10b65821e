"""Which text of a PDF page can be seen.

What is plain to see or plainly not is told by its colour, its size and its place. Where that does
not tell (faint, transparent, clipped, covered, over a picture or inside a form), the page is drawn
with that text and without it: what makes no difference cannot be seen.
"""

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from numpy.typing import NDArray

from pipelines.convert.colours import SEEN, Colour, differ

Box = tuple[float, float, float, float]

_TINY_POINTS = 2.0
# Narrower than this share of its height, a letter is a stroke.
_SQUEEZED = 0.1
_WHITE, _LIGHT = 250, 190
# Pixels a point; a page that would take more pixels than this is drawn smaller.
_SCALE = 1.5
_PIXELS = 12_000_000


@dataclass(frozen=True, slots=True)
class Ground:
    """What may lie under or over text.

    :param box: Left, bottom, right, top in the page's own space.
    :param colour: Its colour; None for a picture or what shows through.
    :param order: Its place in the order of painting.
    :param is_image: Whether it is a picture.
    """

    box: Box
    colour: Colour | None
    order: int
    is_image: bool = False

    def holds(self, x: float, y: float) -> bool:
        """Whether a point is within its box."""
        return self.box[0] <= x <= self.box[2] and self.box[1] <= y <= self.box[3]


def hidden_texts(
    page: "pdfium.PdfPage", text: Any, grounds: Sequence[Ground], order: Mapping[int, int]
) -> set[int]:
    """Return the addresses of a page's text objects that cannot be seen.

    What OCR wrote invisibly over a scanned image can be seen where the image shows anything.

    :param page: The page.
    :param text: Its text layer, as PDFium's own handle.
    :param grounds: What is painted beside text.
    :param order: When each text object is painted; those inside forms are not in it.
    """
    crop = page.get_bbox()
    hidden: set[int] = set()
    doubtful: dict[int, Any] = {}
    ocr: set[int] = set()
    seen: set[int] = set()
    for index, item, key in _texts(text):
        if key in seen:
            continue
        seen.add(key)
        box = _box(item)
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        matrix = raw.FS_MATRIX()
        raw.FPDFText_GetMatrix(text, index, matrix)
        high, wide = np.hypot(matrix.b, matrix.d) or 1.0, np.hypot(matrix.a, matrix.c)
        height = raw.FPDFText_GetFontSize(text, index) * high
        if is_top := key in order:
            height = max(height, box[3] - box[1])
        if height < _TINY_POINTS or wide < _SQUEEZED * high or (is_top and not _inside(crop, x, y)):
            hidden.add(key)
        elif raw.FPDFTextObj_GetTextRenderMode(item) == raw.FPDF_TEXTRENDERMODE_INVISIBLE:
            if any(ground.is_image and ground.holds(x, y) for ground in grounds):
                doubtful[key] = item
                ocr.add(key)
            else:
                hidden.add(key)
        elif not is_top or _clipped(item, x, y):
            doubtful[key] = item
        else:
            there = [ground for ground in grounds if ground.holds(x, y)]
            is_seen = _is_seen(item, order[key], there)
            if is_seen is None:
                doubtful[key] = item
            elif not is_seen:
                hidden.add(key)
    if doubtful:
        hidden |= _not_drawn(page, text, doubtful, ocr)
    return hidden


def _is_seen(item: Any, order: int, there: Sequence[Ground]) -> bool | None:
    """Return whether a text object can be seen before what is there; None where that is open."""
    found = colour_of(item)
    mode = raw.FPDFTextObj_GetTextRenderMode(item)
    if found is None or mode == raw.FPDF_TEXTRENDERMODE_CLIP:
        return None
    if any(ground.colour is None or ground.order > order for ground in there):
        return None
    if there:
        return any(ground.colour is not None and differ(ground.colour, found) for ground in there)
    if min(found) >= _WHITE:
        return False
    return True if min(found) < _LIGHT else None


def _not_drawn(
    page: "pdfium.PdfPage", text: Any, doubtful: Mapping[int, Any], ocr: set[int]
) -> set[int]:
    """Return those of the text objects that make no difference to how the page looks."""
    boxes = {key: [np.inf, np.inf, -np.inf, -np.inf] for key in doubtful}
    edges = [ctypes.c_double() for _ in range(4)]
    for index, _, key in _texts(text):
        if key in boxes and raw.FPDFText_GetCharBox(text, index, *edges):
            left, right, bottom, top = (edge.value for edge in edges)
            box = boxes[key]
            boxes[key] = [
                min(box[0], left), min(box[1], bottom), max(box[2], right), max(box[3], top)
            ]  # fmt: skip
    width, height = page.get_size()
    scale = min(_SCALE, (_PIXELS / (width * height)) ** 0.5)
    whole = _drawn(page, scale)
    for item in doubtful.values():
        raw.FPDFPageObj_SetIsActive(item, False)
    try:
        without = _drawn(page, scale)
    finally:
        for item in doubtful.values():
            raw.FPDFPageObj_SetIsActive(item, True)
    changed = np.abs(whole.astype(np.int16) - without).max(axis=2)
    found = set()
    for key, box in boxes.items():
        if not np.isfinite(box).all():
            found.add(key)
            continue
        x0, y0, x1, y1 = _on_bitmap(page, box, width * scale, height * scale)
        if x0 >= x1 or y0 >= y1:
            found.add(key)
        elif key in ocr:
            part = whole[y0:y1, x0:x1].astype(np.int16)
            if np.ptp(part, axis=(0, 1)).max() < SEEN:
                found.add(key)
        elif changed[y0:y1, x0:x1].max() < SEEN:
            found.add(key)
    return found


def _on_bitmap(
    page: "pdfium.PdfPage", box: Sequence[float], width: float, height: float
) -> tuple[int, int, int, int]:
    """Return the pixels of a box in a bitmap of a size: left, top, right and bottom."""
    w, h = int(np.ceil(width)), int(np.ceil(height))
    x, y = ctypes.c_int(), ctypes.c_int()
    corners = []
    for across, up in ((box[0], box[1]), (box[2], box[3])):
        raw.FPDF_PageToDevice(page.raw, 0, 0, w, h, 0, across, up, x, y)
        corners.append((x.value, y.value))
    (x0, y0), (x1, y1) = corners
    return (
        max(min(x0, x1), 0),
        max(min(y0, y1), 0),
        min(max(x0, x1) + 1, w),
        min(max(y0, y1) + 1, h),
    )


def _drawn(page: "pdfium.PdfPage", scale: float) -> NDArray[np.uint8]:
    bitmap = page.render(scale=scale, may_draw_forms=False)
    try:
        pixels: NDArray[np.uint8] = np.array(bitmap.to_numpy()[:, :, :3])
    finally:
        bitmap.close()
    return pixels


def _texts(text: Any) -> Iterator[tuple[int, Any, int]]:
    """Yield each character's place, its text object, and that one's address."""
    for index in range(raw.FPDFText_CountChars(text)):
        item = raw.FPDFText_GetTextObject(text, index)
        if item:
            yield index, item, ctypes.addressof(item.contents)


def _clipped(item: Any, x: float, y: float) -> bool:
    """Whether a point may be outside of what an object is clipped to."""
    clip = raw.FPDFPageObj_GetClipPath(item)
    across, up = ctypes.c_float(), ctypes.c_float()
    for path in range(max(raw.FPDFClipPath_CountPaths(clip), 0) if clip else 0):
        points = []
        for index in range(max(raw.FPDFClipPath_CountPathSegments(clip, path), 0)):
            part = raw.FPDFClipPath_GetPathSegment(clip, path, index)
            raw.FPDFPathSegment_GetPoint(part, across, up)
            points.append((across.value, up.value))
        if points:
            left, bottom = (min(point[n] for point in points) for n in (0, 1))
            right, top = (max(point[n] for point in points) for n in (0, 1))
            if not (left <= x <= right and bottom <= y <= top):
                return True
    return False


def _box(item: Any) -> Box:
    box = [ctypes.c_float() for _ in range(4)]
    raw.FPDFPageObj_GetBounds(item, *box)
    left, bottom, right, top = (value.value for value in box)
    return left, bottom, right, top


def _inside(crop: Box, x: float, y: float) -> bool:
    return crop[0] - 1 <= x <= crop[2] + 1 and crop[1] - 1 <= y <= crop[3] + 1


def colour_of(item: Any) -> Colour | None:
    """Return an object's fill colour; None where it has none or shows through."""
    parts = [ctypes.c_uint() for _ in range(4)]
    if not raw.FPDFPageObj_GetFillColor(item, *parts) or parts[3].value < 128:
        return None
    return parts[0].value, parts[1].value, parts[2].value
