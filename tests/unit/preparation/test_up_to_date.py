"""What of an earlier run holds, whatever becomes of reference masks; and who reads a scan."""

import numpy as np
import pytest

from lungpipe.preparation.prepare import PrepareRequest, prepare_subset
from lungpipe.preparation.raw_files import unchanged_files
from lungpipe.settings import PreprocessingSettings

SETTINGS = PreprocessingSettings(spacing_zyx_mm=(2.0, 2.0, 2.0))


def run(scans, folder, **changes):
    request = PrepareRequest(**{"settings": SETTINGS, "code": "v1", "subset": 0, **changes})
    return prepare_subset(scans, folder, request, num_workers=2, log=lambda line: None)


@pytest.fixture
def finished(subset, tmp_path):
    folder = tmp_path / "out"
    run(subset[0], folder)
    return folder


def test_a_scan_is_read_by_the_reader_of_the_request(subset, tmp_path):
    result = run(subset[0], tmp_path / "out", reader="lungpipe.datasets.nifti:read_nifti")
    assert result.num_failed == 3
    assert result.failures["reason"].str.contains("NIfTI").all()


def test_no_file_knows_of_references(subset, finished, draw, write_reference):
    scans = subset[0]
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    files = {path for scan in scans for path in (scan.header_path, scan.data_path)}
    drawn = draw(spacing=(3.0, 3.0, 3.0), scale=0.4, seed=0)
    referenced = [write_reference(scan, np.array([0, 3, 4], dtype=np.uint8)[drawn.lungs], drawn.grid) for scan in scans]
    for _ in range(2):
        assert unchanged_files(referenced, finished) == files
        assert run(referenced, finished).num_kept == 3
        assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before
        referenced[0].reference.data_path.write_bytes(b"no labels")
