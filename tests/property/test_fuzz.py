"""Damaged files of every kind: what is read is right, or one error of ours names the file, within little memory.

Each example takes a good file and replaces, cuts out, inserts or repeats bytes of it.
"""

import gzip
import resource
import shutil
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dicom_files import compress, slice_elements, store, write_ct
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import CTImageStorage
from random_detector import write_random_detector

from lungpipe.datasets.annotations import DatasetError, read_annotations
from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError
from lungpipe.evaluation.submission import read_submission
from lungpipe.geometry import Grid
from lungpipe.models import load_model
from lungpipe.preparation.image_files import write_image
from lungpipe.tables import (
    CANDIDATES,
    ContractError,
    DigestError,
    check_digests,
    read_table,
    write_digests,
    write_table,
)
from lungpipe.tables.errors import InputError
from lungpipe.volumes.manifest import ManifestError, read_manifest, write_manifest
from lungpipe.volumes.store import VolumeError, open_volume
from lungpipe.volumes.writer import write_volume

SHAPE = (6, 8, 10)
GRID = Grid(SHAPE, (5.0, 5.0, 5.0))
HU = np.arange(480, dtype=np.int16).reshape(SHAPE) * 2 - 900
MEMORY_BYTES = 96 << 20
"""What the reading of a file of some kilobytes may take: four times its content is far less."""


@dataclass(frozen=True)
class Kind:
    """A kind of file: how a good one is written into a folder, which file is damaged, how it is read, its errors."""

    write: Callable[[Path], Path]
    read: Callable[[Path], object]
    errors: tuple[type[Exception], ...]


def write_meta(folder: Path, ending: str) -> Path:
    write_image(folder / f"1.2{ending}", HU, GRID)
    return folder / f"1.2{ending}"


def write_zip(folder: Path) -> Path:
    write_image(folder / "1.2.nii", HU, GRID)
    with zipfile.ZipFile(folder / "scan.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "1.2.nii", "1.2.nii")
    (folder / "1.2.nii").unlink()
    return folder / "scan.zip"


def write_dicom(folder: Path, *, is_deflated: bool = False) -> Path:
    (folder / "series").mkdir()
    for index in range(SHAPE[0]):
        elements = slice_elements(index, "1.2.3", store(HU[index]))
        path = write_ct(folder / "series" / f"{index}.dcm", CTImageStorage, f"1.2.3.{index}", elements)
        if is_deflated:
            compress(path, "deflated")
    return folder / "series" / "3.dcm"


def write_candidates(folder: Path) -> Path:
    rows = [(f"1.2#c{row}", "1.2", 1.0, 2.0, 3.0, 4.0, 0.5, 0) for row in range(20)]
    write_table(pd.DataFrame(rows, columns=list(CANDIDATES.columns)), folder / "t.parquet", CANDIDATES)
    return folder / "t.parquet"


def write_csv(folder: Path, name: str, header: str) -> Path:
    rows = "".join(f"1.2.{row},1.5,-2.5,{row}.25,0.{row + 1}\n" for row in range(9))
    (folder / name).write_text(f"{header}\n{rows}")
    return folder / name


def write_packed_csv(folder: Path) -> Path:
    path = write_csv(folder, "s.csv", "seriesuid,coordX,coordY,coordZ,probability")
    path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    return path


def write_listed(folder: Path) -> Path:
    write_manifest(folder / "manifest.json", [])
    return folder / "manifest.json"


def write_sealed(folder: Path) -> Path:
    (folder / "a.csv").write_text("a\n1\n")
    write_digests([folder / "a.csv"], folder)
    return folder / "digests.json"


def write_stored(folder: Path, name: str) -> Path:
    lungs = np.ones(SHAPE, np.uint8)
    write_volume(folder / "1.2.ome.zarr", HU, GRID, lungs, series_uid="1.2", attributes={})
    return next((folder / "1.2.ome.zarr").glob(name))


def read_stored(path: Path) -> object:
    top = next(parent for parent in path.parents if parent.name == "1.2.ome.zarr")
    volume = open_volume(top, "1.2")
    return volume.grid, volume.read_hu().tobytes(), volume.read_lungs().tobytes()


def read_voxels(path: Path) -> object:
    scan = read_scan(path)
    return scan.grid.shape_zyx, scan.hu.shape


SCAN, CSV = (ScanError,), (InputError, DatasetError)
KINDS = {
    "mhd": Kind(lambda folder: write_meta(folder, ".mhd"), read_voxels, SCAN),
    "mha": Kind(lambda folder: write_meta(folder, ".mha"), read_voxels, SCAN),
    "nii": Kind(lambda folder: write_meta(folder, ".nii"), read_voxels, SCAN),
    "nii.gz": Kind(lambda folder: write_meta(folder, ".nii.gz"), read_voxels, SCAN),
    "zip": Kind(write_zip, read_voxels, SCAN),
    "dicom": Kind(write_dicom, lambda path: read_voxels(path.parent), SCAN),
    "deflated dicom": Kind(
        lambda folder: write_dicom(folder, is_deflated=True), lambda path: read_voxels(path.parent), SCAN
    ),
    "table": Kind(write_candidates, lambda path: len(read_table(path, CANDIDATES)), (ContractError,)),
    "annotations": Kind(
        lambda folder: write_csv(folder, "annotations.csv", "seriesuid,coordX,coordY,coordZ,diameter_mm"),
        lambda path: len(read_annotations(path.parent)),
        CSV,
    ),
    "submission": Kind(
        lambda folder: write_csv(folder, "s.csv", "seriesuid,coordX,coordY,coordZ,probability"), read_submission, CSV
    ),
    "packed submission": Kind(write_packed_csv, read_submission, CSV),
    # a model's errors are ValueErrors that begin with its path
    "model": Kind(
        lambda folder: write_random_detector(folder / "m.safetensors"),
        lambda path: load_model(path).card,
        (ValueError,),
    ),
    "manifest": Kind(write_listed, read_manifest, (ManifestError,)),
    "digests": Kind(write_sealed, lambda path: check_digests(path.parent, ["a.csv"]), (DigestError,)),
    "metadata of a store": Kind(lambda folder: write_stored(folder, "zarr.json"), read_stored, (VolumeError,)),
    "metadata of an array": Kind(lambda folder: write_stored(folder, "0/zarr.json"), read_stored, (VolumeError,)),
    "voxels of a store": Kind(lambda folder: write_stored(folder, "0/c/0/0/0"), read_stored, (VolumeError,)),
}

PLACES = st.floats(0, 1, exclude_max=True)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), PLACES, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("insert"), PLACES, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("cut"), PLACES, st.integers(1, 64)),
        st.tuples(st.just("repeat"), PLACES, st.integers(1, 64)),
        st.tuples(st.just("end"), PLACES, st.just(0)),
    ),
    min_size=1,
    max_size=4,
)


def damage(content: bytes, edits: list) -> bytes:
    for what, where, value in edits:
        place = int(where * len(content))
        if what == "put":
            content = content[:place] + value + content[place + len(value) :]
        elif what == "insert":
            content = content[:place] + value + content[place:]
        elif what == "cut":
            content = content[:place] + content[place + value :]
        elif what == "repeat":
            content = content[: place + value] + content[place:]
        else:
            content = content[:place]
    return content


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Write good files of a kind, once."""
    made = {}

    def make(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp("good")
            made[name] = KINDS[name].write(folder), folder
        return made[name]

    return make


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_a_damaged_file_is_read_or_refused_by_name_within_little_memory(good, tmp_path, name, edits):
    kind, (source, folder) = KINDS[name], good(name)
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    path = copy / source.relative_to(folder)
    path.write_bytes(damage(path.read_bytes(), edits))
    before = peak_bytes()
    try:
        kind.read(path)
    except kind.errors as error:
        assert str(copy) in str(error)  # noqa: PT017 - a file that is read is right, too
    assert peak_bytes() - before < MEMORY_BYTES


def peak_bytes() -> int:
    """The most memory that this process ever had; bytes that were asked for and never touched do not count."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_good_file_of_each_kind_is_read(good, name):
    path, _ = good(name)
    KINDS[name].read(path)


def test_a_small_file_that_inflates_to_much_is_refused_within_little_memory(tmp_path):
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    fields = "NDims = 3\nDimSize = 10 8 6\nElementSpacing = 5 5 5\nElementType = MET_SHORT\nCompressedData = True\n"
    (tmp_path / "1.mhd").write_text(f"{fields}ElementDataFile = 1.zraw\n")
    (tmp_path / "1.zraw").write_bytes(bomb)
    path = write_dicom(tmp_path, is_deflated=True)
    content = path.read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    inflated = zlib.decompress(content[start:], -15)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [deflater.compress(inflated), *(deflater.compress(bytes(1 << 20)) for _ in range(200))]
    path.write_bytes(content[:start] + b"".join(parts) + deflater.flush())
    before = peak_bytes()
    with pytest.raises(ScanError, match=r"1\.zraw: expected 960 bytes behind the compression, found 960\+ bytes"):
        read_scan(tmp_path / "1.mhd")
    with pytest.raises(ScanError, match=r"3\.dcm: expected at most \d+ bytes behind the compression, found more"):
        read_scan(tmp_path / "series")
    assert peak_bytes() - before < MEMORY_BYTES
