"""The scans of a folder: files, archives, stores and DICOM folders, each of them one input of a prediction."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from lungpipe.datasets.dicom.studies import study_of
from lungpipe.datasets.hidden import is_hidden
from lungpipe.patients.detect import is_dataset, list_dataset
from lungpipe.prediction.privacy import digest_of_name
from lungpipe.volumes.manifest import STORE_SUFFIX

FILE_ENDINGS = (".mhd", ".mha", ".nii", ".nii.gz", ".zip")


@dataclass(frozen=True, slots=True)
class Input:
    """One scan of a folder: its path, its path within the folder, and the folder that its outputs get."""

    path: Path
    name: str

    @property
    def out_name(self) -> str:
        """Name of the outputs' folder; the scan's own name may be that of a patient."""
        return f"scan-{digest_of_name(self.name)}"

    def signature(self) -> str:
        """Return a digest of names, sizes and times of the scan's files: changes when a file changes."""
        files = sorted(self.path.rglob("*")) if self.path.is_dir() else _companions(self.path)
        facts = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files if path.is_file()]
        return hashlib.sha256(json.dumps(facts).encode("utf-8")).hexdigest()


def list_inputs(root: Path) -> tuple[Input, ...] | None:
    """Return the scans of a folder of many scans, sorted by path; None if `root` is one scan.

    A folder of many scans holds subset folders in LUNA16's layout; or files (.mhd, .mha, .nii, .nii.gz, .zip) or
    stores, also in subfolders; or at least two subfolders with DICOM files of different studies. A DICOM folder of one
    study is one scan, whatever subfolders its series are in.

    Raises:
        ValueError: subset folders without a scan, or with a scan twice (see `list_dataset`).
        ScanError: a folder that cannot be read.
    """
    root = Path(root)
    if not root.is_dir() or root.name.endswith(STORE_SUFFIX):
        return None
    if is_dataset(root):
        return _inputs(root, list(list_dataset(root).values()))
    entries = [path for path in sorted(root.iterdir()) if not is_hidden(path.name)]
    found = [path for path in entries if path.name.lower().endswith((*FILE_ENDINGS, STORE_SUFFIX))]
    folders = [path for path in entries if path.is_dir() and path not in found]
    studies = {path: study for path in folders if (study := study_of(path)) is not None}
    for folder in folders:
        if folder not in studies:
            found += [path for path in sorted(folder.rglob("*")) if _is_scan_file(path, folder)]
    is_single = not found and len(set(studies.values())) < 2
    return None if is_single else _inputs(root, [*found, *studies])


def _is_scan_file(path: Path, folder: Path) -> bool:
    is_scan = path.name.lower().endswith(FILE_ENDINGS) and path.is_file()
    return is_scan and not is_hidden(path.relative_to(folder))


def _inputs(root: Path, paths: list[Path]) -> tuple[Input, ...]:
    return tuple(Input(path, path.relative_to(root).as_posix()) for path in sorted(paths))


def _companions(path: Path) -> list[Path]:
    """Return a file, and the files of the same name beside it (the voxels of a header)."""
    return sorted(other for other in path.parent.iterdir() if other.stem == path.stem)
