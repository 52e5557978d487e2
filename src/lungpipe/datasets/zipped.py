"""A scan in a zip archive: unpacked into a temporary folder while it is read."""

import zipfile
import zlib
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import MAX_VOXELS, Scan, ScanError

MAX_UNPACKED_BYTES = 4 * MAX_VOXELS
"""Two whole scans of the largest size; an archive that unpacks to more is refused."""
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
        files = [file for file in sorted(folder.rglob("*")) if file.name.lower().endswith(FILE_ENDINGS)]
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
    """Unpack an archive into a folder, without the files that macOS or a file manager added.

    Raises:
        ScanError: an archive that cannot be read or is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not _is_companion(entry.filename)]
            num_bytes = sum(entry.file_size for entry in entries)
            if num_bytes > MAX_UNPACKED_BYTES:
                raise ScanError(
                    f"{path}: expected at most {MAX_UNPACKED_BYTES} bytes in the archive, found {num_bytes}"
                )
            # zipfile writes no entry outside the folder, and no more bytes than the directory states
            archive.extractall(folder, entries)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ScanError(f"{path}: expected a readable zip archive, found {error}") from None


def _is_companion(name: str) -> bool:
    """Return whether a name is a file that macOS or a file manager added."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
