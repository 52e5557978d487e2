"""Find the DICOM images in a folder and its subfolders, and read the elements of their geometry and rescale."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.uid import MediaStorageDirectoryStorage

from lungpipe.datasets.dicom.deflated import refuse_inflated
from lungpipe.datasets.dicom.slice import Slice
from lungpipe.datasets.hidden import is_hidden
from lungpipe.datasets.scan import ScanError

FRAME_TAGS = ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]
HEADER_TAGS = [
    "SOPClassUID",
    "SeriesInstanceUID",
    "Modality",
    "ImageType",
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "SamplesPerPixel",
    "NumberOfFrames",
    "BitsAllocated",
    "PhotometricInterpretation",
]
DESCRIBING_TAGS = ["SeriesDescription", "SliceThickness", "ConvolutionKernel"]
"""Elements that describe a series for the user; read as text, so that no file is refused because of them."""
_TAGS: list[BaseTag | int] = [Tag(keyword) for keyword in (*HEADER_TAGS, *DESCRIBING_TAGS)]
PREAMBLE_BYTES = 128
_BEHIND_IMAGE_ELEMENTS = 0x00290000
"""The first tag that is not read; private and nested elements and the pixels follow."""
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
"""The groups (little-endian) that a file without a preamble begins with."""
_LONGEST_FIRST_VALUE = 4096
_ENDINGS = {".dcm", ".ima"}
_PACKED = {".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".xz", ".bz2"}


def find_images(folder: Path, *, is_required: bool = True) -> list[Slice]:
    """Return the header of every DICOM image in a folder and its subfolders, or of a single file, sorted by path.

    Hidden files, other files and DICOM objects that are not images (indices, reports, outlines) are skipped.

    Raises:
        ScanError: an unreadable folder, no DICOM images although they are required, a damaged file that is named like
            a slice, an image without a series.
    """
    try:
        paths = sorted(_list_files(folder))
    except OSError as error:
        raise ScanError(f"{folder}: expected a readable DICOM folder, found {error.strerror}") from None
    found = {path: read_header(path) for path in paths}
    slices = [item for item in found.values() if item is not None]
    # other files may be in the folder; a file named like a slice must be a slice
    names = {_pattern(item.path) for item in slices}
    for path, item in found.items():
        if item is None and (path.suffix.lower() in _ENDINGS or _pattern(path) in names):
            raise ScanError(f"{path}: expected a DICOM file, found another content")
    images = [item for item in slices if _is_image(item.header)]
    if not images and is_required:
        raise ScanError(f"{folder}: expected DICOM files, found none among {len(paths)} files{_name_packed(paths)}")
    for item in images:
        if not item.header.get("SeriesInstanceUID"):
            raise ScanError(f"{item.where}: expected the element SeriesInstanceUID, found none")
    return images


def _name_packed(paths: Sequence[Path]) -> str:
    """Return an advice about files that may be packed slices; empty without such files."""
    packed = [path.name for path in paths if path.suffix.lower() in _PACKED]
    if not packed:
        return ""
    return f"; {len(packed)} are packed, such as {packed[0]}: unpack them, or name one .zip in place of the folder"


def is_dicom(path: Path) -> bool:
    """Return whether a file begins like DICOM, with or without preamble; raises ScanError for an unreadable one."""
    try:
        with path.open("rb") as stream:
            start = stream.read(PREAMBLE_BYTES + 4)
    except OSError as error:
        raise ScanError(f"{path}: expected a readable file, found {error.strerror}") from None
    return _begins_as_dicom(start)


def _begins_as_dicom(start: bytes) -> bool:
    if start[PREAMBLE_BYTES:] == b"DICM":
        return True
    # explicit: two letters for the type of the value; implicit: the value's length
    is_explicit = re.fullmatch(rb"[A-Z]{2}", start[4:6]) is not None
    is_implicit = 0 < int.from_bytes(start[4:8], "little") <= _LONGEST_FIRST_VALUE
    return len(start) > 8 and start[:2] in _FIRST_GROUPS and (is_explicit or is_implicit)


def read_header(path: Path) -> Slice | None:
    """Return a file with the converted elements of geometry and rescale; None if not DICOM.

    Raises:
        ScanError: a damaged file.
    """
    try:
        with path.open("rb") as stream:
            if not _begins_as_dicom(stream.read(PREAMBLE_BYTES + 4)):
                return None
            refuse_inflated(path, stream)
            stream.seek(0)
            header = read_partial(stream, stop_when=_is_behind, force=True, specific_tags=_TAGS)
        if _has_groups(header):
            groups = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=FRAME_TAGS)
            header.update({element.tag: element for element in groups})
        description = {keyword: _pop_text(header, keyword) for keyword in DESCRIBING_TAGS}
        # pydicom converts values at the first access: access here, so that an error names the file
        for element in header.iterall():
            _check_numbers(element)
    except ScanError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged file raises many kinds; it must be named in each
        raise ScanError(f"{path}: expected a readable DICOM file, found {error}") from None
    return Slice(path, header, description=description)


def _check_numbers(element: DataElement) -> None:
    """Raise ValueError for a number that is not written in plain ASCII: Python would read 2_0 and other scripts."""
    values = element.value if isinstance(element.value, MultiValue) else (element.value,)
    for value in values:
        text = getattr(value, "original_string", "")
        if "_" in text or not text.isascii():
            raise ValueError(f"{element.keyword}: a number {text!r}")


def class_name(header: Dataset) -> str:
    """Return the name of an object's kind (SOP class), such as `CT Image Storage`; empty if not given."""
    uid = header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID")
    return str(uid.name) if uid else ""


def _list_files(folder: Path, seen: frozenset[Path] = frozenset()) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    place = folder.resolve()
    if place in seen:
        return  # a link to a folder that contains the link
    for path in folder.iterdir():
        if is_hidden(path.name):
            continue
        if path.is_dir():
            yield from _list_files(path, seen | {place})
        elif path.is_file() or not path.exists():
            # a link that leads nowhere may have been a slice: its reader refuses it by name. Opening a link to a pipe
            # could wait for ever
            yield path


def _pop_text(header: Dataset, keyword: str) -> str:
    """Remove an element that was not converted yet, and return its bytes as text; empty if absent."""
    if keyword not in header:
        return ""
    content = header.get_item(keyword).value
    del header[keyword]
    return (content or b"").decode("utf-8", errors="replace").strip(" \0")


def _is_behind(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag >= _BEHIND_IMAGE_ELEMENTS


def _has_groups(header: Dataset) -> bool:
    """Return whether the geometry of a CT may be in functional groups; they are not read for other objects."""
    name = class_name(header)
    has_frames = int(header.get("NumberOfFrames") or 1) > 1
    return (not name or name.endswith("CT Image Storage")) and (has_frames or "Enhanced" in name)


def _is_image(header: Dataset) -> bool:
    """Return whether an object is an image, or too damaged to decide."""
    name = class_name(header)
    is_index = header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
    return not is_index and ("Rows" in header or not name or "Image Storage" in name)


def _pattern(path: Path) -> str:
    """Return a file's name with one mark for each number in it: slices of one series differ in numbers only.

    A name with an ending is reduced to the ending.
    """
    ending = path.suffix.lower()
    if ending and not ending[1:].isdigit():
        return ending
    return re.sub(r"(?<![A-Za-z])[0-9A-Fa-f]{8,}(?![A-Za-z])|[\d.]+", "#", path.name)
