"""Choose the series of a folder, and the images that are its slices."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from lungpipe.datasets.dicom.crossing import find_crossing
from lungpipe.datasets.dicom.files import FRAME_TAGS, class_name
from lungpipe.datasets.dicom.slice import Slice
from lungpipe.datasets.scan import ScanError

_LOCALIZERS = {"LOCALIZER", "SCOUT"}
"""Values of ImageType that name an overview image."""
_CAPTURE = "Secondary Capture Image Storage"
_DERIVED = "DERIVED"
"""Value of ImageType of an image that was computed."""
_GEOMETRY = ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", *FRAME_TAGS)
"""A computed image without any of these elements is a page of text, such as a dose report or a protocol."""
MAX_LISTED = 20


def group_series(images: Iterable[Slice]) -> dict[str, list[Slice]]:
    """Return the images of each series, by series UID."""
    series: dict[str, list[Slice]] = {}
    for item in images:
        series.setdefault(str(item.header.SeriesInstanceUID), []).append(item)
    return series


def choose_series(folder: Path, images: Sequence[Slice], series_uid: str | None) -> tuple[list[Slice], tuple[str, ...]]:
    """Return the slices of the chosen series, or of the only CT series, and remarks on images that are left out.

    A CT series has at least two images (or one of many frames) of modality CT that are not localizers. Localizers,
    screenshots and images across the slices are left out of the chosen series.

    Raises:
        ScanError: several CT series and none chosen, or a chosen series that does not exist.
    """
    series = group_series(images)
    usable = [uid for uid, items in series.items() if _is_scan(items)]
    if series_uid is not None:
        chosen = series_uid
    elif len(usable) == 1 or len(series) == 1:
        chosen = next(iter(usable or series))
    else:
        listed = sorted(usable or series)
        raise ScanError(
            f"{folder}: expected one series, or a choice among several, found {', '.join(listed[:MAX_LISTED])}"
            f"{'' if len(listed) <= MAX_LISTED else f' and {len(listed) - MAX_LISTED} more'}; choose one (--series):"
            + "".join(f"\n  {uid}: {describe_series(series[uid])}" for uid in listed[:MAX_LISTED])
        )
    if chosen not in series:
        raise ScanError(f"{folder}: expected series {chosen}, found {', '.join(sorted(series)[:MAX_LISTED])}")
    slices, remarks = _drop_others(folder, series.pop(chosen))
    remarks += tuple(
        f"series {uid} left out: {describe_series(items)}"
        for uid, items in series.items()
        if series_uid is None and any(item.header.get("Modality") == "CT" for item in items)
    )
    return slices, remarks


def describe_series(items: Sequence[Slice]) -> str:
    """Return a description of a series for the user: description, modality, number of images, thickness, kernel."""
    header, known = items[0].header, items[0].description
    count = sum(int(item.header.get("NumberOfFrames") or 1) for item in items)
    thickness, kernel = known.get("SliceThickness"), known.get("ConvolutionKernel")
    words = [
        known.get("SeriesDescription") or "no description",
        "localizer" if all(_is_localizer(item) for item in items) else str(header.get("Modality") or "no modality"),
        f"{count} {'image' if count == 1 else 'images'}",
        f"thickness {thickness} mm" if thickness else "",
        f"kernel {kernel}" if kernel else "",
    ]
    return ", ".join(word for word in words if word)


def _is_scan(items: Sequence[Slice]) -> bool:
    slices = [item for item in items if item.header.get("Modality") == "CT" and not _is_other(item)]
    has_frames = any(tag in item.header for item in slices for tag in FRAME_TAGS)
    return has_frames or len([item for item in slices if item.header.get("ImagePositionPatient")]) > 1


def _is_localizer(item: Slice) -> bool:
    kinds = item.header.get("ImageType") or []
    return not _LOCALIZERS.isdisjoint(kind.upper() for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _is_other(item: Slice) -> bool:
    header = item.header
    is_page = _DERIVED in (header.get("ImageType") or []) and not any(key in header for key in _GEOMETRY)
    return _is_localizer(item) or is_page or class_name(header).endswith(_CAPTURE)


def _drop_others(folder: Path, items: list[Slice]) -> tuple[list[Slice], tuple[str, ...]]:
    slices = [item for item in items if not _is_other(item)]
    if not slices and all(_is_localizer(item) for item in items):
        names = ", ".join(item.name for item in items[:MAX_LISTED])
        raise ScanError(f"{folder}: expected slices, found nothing but localizers ({names})")
    if not slices:
        return items, ()  # a series saved as screenshots is accepted if it forms a volume
    left = [item for item in items if _is_other(item)]
    crossing = find_crossing(slices)
    kept = [item for item in slices if item not in crossing] if crossing else slices
    return kept, (
        *_name_left("no slice but a localizer, a screenshot or a page of text", left),
        *_name_left("across the slices, as localizers are", crossing),
    )


def _name_left(reason: str, items: Sequence[Slice]) -> tuple[str, ...]:
    """Return a remark that names images which are left out; none without images."""
    names = ", ".join(item.name for item in items[:MAX_LISTED])
    more = f" and {len(items) - MAX_LISTED} more" if len(items) > MAX_LISTED else ""
    return (f"left out, {reason}: {names}{more}",) if items else ()
