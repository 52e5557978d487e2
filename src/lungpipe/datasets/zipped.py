"""A scan in a zip archive: unpacked into a temporary folder while it is read."""

import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from lungpipe.datasets.hidden import is_hidden
from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import MAX_VOXELS, Scan, ScanError
from lungpipe.tables import is_of_machine

MAX_UNPACKED_BYTES = 4 * MAX_VOXELS
"""Two whole scans of the largest size; an archive that unpacks to more is refused."""
MAX_DEPTH = 2
"""Archives are opened to this depth (an archive in an archive in an archive)."""
FILE_ENDINGS = (".mhd", ".mha", ".nii", ".nii.gz")


def read_zipped(path: Path, series_uid: str | None = None) -> Scan:
    """Unpack an archive and read the scan in it: its one MetaImage or NIfTI file, else the DICOM series.

    Messages and remarks name files by their path in the archive.

    Raises:
        ScanError: an archive that cannot be read or is too large, several scans in it, or a scan that is refused.
    """
    with TemporaryDirectory(prefix="lungpipe-") as temporary:
        folder = Path(temporary)
        unpack(path, folder)
        files = [file for file in sorted(folder.rglob("*")) if _is_image(file)]
        if len(files) > 1:
            found = ", ".join(file.relative_to(folder).as_posix() for file in files[:10])
            raise ScanError(f"{path}: expected one scan, found {found}")
        try:
            scan = read_scan(files[0] if files else folder, series_uid)
        except ScanError as error:
            raise ScanError(str(error).replace(temporary, str(path))) from None
        remarks = tuple(remark.replace(temporary, str(path)) for remark in scan.remarks)
        return Scan(scan.series_uid, scan.hu, scan.grid, remarks)


def unpack(path: Path, folder: Path) -> None:
    """Unpack an archive, and the archives in it, into a folder, without the files that macOS or a file manager added.

    An archive in the archive becomes a folder of its name.

    Raises:
        ScanError: an archive that cannot be read, or archives that are too large together.
        OSError: an error of the machine, such as a full disk.
    """
    num_bytes = _extract(path, folder, path, MAX_UNPACKED_BYTES)
    _unpack_inner(folder, path, MAX_UNPACKED_BYTES - num_bytes, MAX_DEPTH)


def _unpack_inner(folder: Path, archive: Path, max_bytes: int, depth: int) -> int:
    """Unpack the archives in a folder, and return how many bytes of `max_bytes` are left."""
    if not depth:
        return max_bytes
    for inner in sorted(folder.rglob("*")):
        if inner.suffix.lower() == ".zip" and zipfile.is_zipfile(inner):
            packed = inner.rename(inner.with_name(f".{inner.name}.packed"))
            inner.mkdir()
            max_bytes -= _extract(packed, inner, archive / inner.relative_to(folder), max_bytes)
            packed.unlink()
            max_bytes = _unpack_inner(inner, archive / inner.relative_to(folder), max_bytes, depth - 1)
    return max_bytes


def _extract(packed: Path, folder: Path, path: Path, max_bytes: int) -> int:
    """Unpack one archive, which messages name `path`, and return the number of unpacked bytes.

    Raises:
        ScanError: an archive that cannot be read or is too large.
        OSError: an error of the machine, such as a full disk.
    """
    try:
        with zipfile.ZipFile(packed) as archive:
            entries = [entry for entry in archive.infolist() if not is_hidden(entry.filename)]
            num_bytes = sum(entry.file_size for entry in entries)
            if num_bytes > max_bytes:
                raise ScanError(f"{path}: expected at most {max_bytes} bytes in the archive, found {num_bytes}")
            # zipfile writes no entry outside the folder, and no more bytes than the directory states
            archive.extractall(folder, entries)
            return num_bytes
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        if is_of_machine(error):
            raise
        raise ScanError(f"{path}: expected a readable zip archive, found {error}") from None


def _is_image(file: Path) -> bool:
    return file.name.lower().endswith(FILE_ENDINGS) and file.is_file()
