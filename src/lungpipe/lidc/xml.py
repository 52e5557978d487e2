"""Read LIDC-IDRI reading XML: marks, contours and ratings of up to four readers in one CT series.

Positions stay as the XML has them: x and y in pixels of the slice (0 is the first pixel's centre), z in mm. The format
is that of the LIDC-IDRI annotation schema (Armato et al., Med Phys 2011).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from lungpipe.tables.csv_input import parse_number

CHARACTERISTICS = {
    "subtlety": 5,
    "internalStructure": 5,
    "calcification": 6,
    "sphericity": 5,
    "margin": 5,
    "lobulation": 5,
    "spiculation": 5,
    "texture": 5,
    "malignancy": 5,
}
"""The nine characteristics and their highest rating (internalStructure has 4 classes; one published reading has 5)."""
_CT_ROOT = "LidcReadMessage"
_X_RAY_ROOT = "IdriReadMessage"


class ReadingError(ValueError):
    """A malformed reading; the message names file and element, what was expected and what was found."""


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """One closed outline on one slice: pixels (N, 2) as (y, x), the first pixels outside the enclosed region.

    The region of an outline that is not an inclusion does not belong to the nodule.
    """

    z_mm: float
    edge_yx_vox: NDArray[np.int64]
    is_inclusion: bool


@dataclass(frozen=True, slots=True, eq=False)
class ReadNodule:
    """A nodule of at least 3 mm as one reader outlined it; `ratings` is empty where the reader gave none."""

    reader: int
    name: str
    ratings: dict[str, int]
    contours: tuple[Contour, ...]


@dataclass(frozen=True, slots=True)
class PointMark:
    """A finding that a reader marked with one point: a nodule below 3 mm, or a finding that is not a nodule."""

    reader: int
    kind: Literal["small_nodule", "non_nodule"]
    z_mm: float
    y_vox: int
    x_vox: int


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """All marks of one CT series; readers are numbered from 0, in the order of their sessions."""

    source: str
    series_uid: str
    num_readers: int
    nodules: tuple[ReadNodule, ...]
    points: tuple[PointMark, ...]


def parse_reading(content: bytes, source: str) -> Reading | None:
    """Return the reading of one CT series, or None for the reading of a chest X-ray; `source` names it in errors.

    Raises:
        ReadingError: not XML, a document type (and so any entity), or a missing or malformed element.
    """
    root = _Element(_parse_safely(content, source), source, "")
    if root.tag == _X_RAY_ROOT:
        return None
    if root.tag != _CT_ROOT:
        raise ReadingError(f"{source}: expected the root element {_CT_ROOT}, found {root.tag}")
    sessions = root.children("readingSession")
    if not sessions:
        raise ReadingError(f"{source}: {_CT_ROOT}: expected an element readingSession, found none")
    nodules: list[ReadNodule] = []
    points: list[PointMark] = []
    for reader, session in enumerate(sessions):
        for mark in session.children("unblindedReadNodule"):
            found = _parse_nodule(mark, reader)
            (nodules if isinstance(found, ReadNodule) else points).append(found)  # type: ignore[arg-type]
        points.extend(_parse_non_nodule(mark, reader) for mark in session.children("nonNodule"))
    uid = root.child("ResponseHeader").child("SeriesInstanceUid").text()
    return Reading(source, uid, len(sessions), tuple(nodules), tuple(points))


class _NoDocumentType(ElementTree.TreeBuilder):
    """Refuse a document type, so that no entity can be declared and expanded; readings have none."""

    def doctype(self, name: str, public_id: str | None, system: str | None) -> None:
        raise ReadingError(f"expected no document type, found <!DOCTYPE {name}>")


def _parse_safely(content: bytes, source: str) -> ElementTree.Element:
    parser = ElementTree.XMLParser(target=_NoDocumentType())  # noqa: S314 - see _NoDocumentType
    try:
        parser.feed(content)
        return parser.close()
    except ReadingError as error:
        raise ReadingError(f"{source}: {error}") from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ReadingError(f"{source}: expected XML, found {error}") from None


class _Element:
    """An element with its file and path, for error messages."""

    def __init__(self, element: ElementTree.Element, source: str, path: str) -> None:
        self.tag = element.tag.rpartition("}")[2]
        self._element, self._source = element, source
        self.path = f"{path}/{self.tag}" if path else self.tag

    def children(self, name: str) -> list["_Element"]:
        found = [item for item in self._element if item.tag.rpartition("}")[2] == name]
        children = [_Element(item, self._source, self.path) for item in found]
        for number, child in enumerate(children, start=1):
            child.path += f"[{number}]" if len(children) > 1 else ""
        return children

    def child(self, name: str) -> "_Element":
        found = self.children(name)
        if len(found) != 1:
            raise self.error(f"expected one element {name}, found {len(found) or 'none'}")
        return found[0]

    def text(self) -> str:
        text = (self._element.text or "").strip()
        if not text:
            raise self.error("expected a text, found none")
        return text

    def whole(self, low: int, high: int) -> int:
        text = self.text()
        # isdecimal alone accepts digits of every script
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise self.error(f"expected a whole number from {low} to {high}, found {text!r}")
        return int(text)

    def millimetres(self) -> float:
        text = self.text()
        value = parse_number(text)
        if not np.isfinite(value):
            raise self.error(f"expected a finite number in mm, found {text!r}")
        return value

    def plain_edge(self) -> list[tuple[int, int]]:
        """Return the edge's pixels (y, x) if all are written as in LIDC-IDRI, else none (parsed one by one).

        This takes a fifth of the time for the 1.8 million pixels of an archive.
        """
        edge = []
        for point in self._element:
            if point.tag.endswith("edgeMap"):
                if len(point) != 2 or not (point[0].tag.endswith("xCoord") and point[1].tag.endswith("yCoord")):
                    return []
                x, y = (point[0].text or "").strip(), (point[1].text or "").strip()
                if not (x.isascii() and x.isdecimal() and y.isascii() and y.isdecimal()) or max(len(x), len(y)) > 4:
                    return []
                edge.append((int(y), int(x)))
        return edge

    def error(self, message: str) -> ReadingError:
        return ReadingError(f"{self._source}: {self.path}: {message}")


def _parse_nodule(mark: _Element, reader: int) -> ReadNodule | PointMark:
    contours = tuple(_parse_contour(roi) for roi in mark.children("roi"))
    if not contours:
        raise mark.error("expected an element roi, found none")
    name = mark.child("noduleID").text()
    if sum(len(contour.edge_yx_vox) for contour in contours) == 1:
        # a nodule below 3 mm has no ratings; some files have zeros
        y, x = contours[0].edge_yx_vox[0].tolist()
        return PointMark(reader, "small_nodule", contours[0].z_mm, y, x)
    ratings = dict(item for element in mark.children("characteristics") for item in _parse_ratings(element))
    return ReadNodule(reader, name, ratings, contours)


def _parse_ratings(element: _Element) -> Iterator[tuple[str, int]]:
    for name, highest in CHARACTERISTICS.items():
        yield name, element.child(name).whole(1, highest)


def _parse_contour(roi: _Element) -> Contour:
    edge = roi.plain_edge() or [_parse_pixel(point) for point in roi.children("edgeMap")]
    if not edge:
        raise roi.error("expected an element edgeMap, found none")
    inclusion = roi.child("inclusion")
    if inclusion.text().upper() not in ("TRUE", "FALSE"):
        raise inclusion.error(f"expected TRUE or FALSE, found {inclusion.text()!r}")
    is_inclusion = inclusion.text().upper() == "TRUE"
    return Contour(roi.child("imageZposition").millimetres(), np.array(edge, dtype=np.int64), is_inclusion)


def _parse_non_nodule(mark: _Element, reader: int) -> PointMark:
    y, x = _parse_pixel(mark.child("locus"))
    return PointMark(reader, "non_nodule", mark.child("imageZposition").millimetres(), y, x)


def _parse_pixel(point: _Element) -> tuple[int, int]:
    return point.child("yCoord").whole(0, 65535), point.child("xCoord").whole(0, 65535)
