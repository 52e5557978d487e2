import time
from pathlib import Path

import pytest
import SimpleITK
import yaml

from lungpipe.phantom.plan import FULL_SIZE, plan_scans
from lungpipe.phantom.write import write_scan
from lungpipe.settings import PhantomSettings

STUDY = Path(__file__).parents[3] / "studies" / "phantom_full.yaml"


@pytest.fixture
def full_settings():
    return PhantomSettings.model_validate(yaml.safe_load(STUDY.read_text())["dataset"]["phantom"])


def test_the_study_asks_for_one_full_size_scan_a_subset(full_settings):
    assert full_settings.extent_zyx_mm == (300, 300, 380)
    assert full_settings.matrix_size == 512
    assert full_settings == FULL_SIZE
    assert len(plan_scans(full_settings, 10)) == 10


@pytest.mark.slow
def test_a_full_size_scan_is_written_within_a_minute(tmp_path, full_settings):
    planned = plan_scans(full_settings, 10)[0]
    start = time.monotonic()
    rows = write_scan(tmp_path, full_settings, planned).rows
    assert time.monotonic() - start < 60
    image = SimpleITK.ReadImage(str(tmp_path / "subset0" / planned.file_name))
    assert image.GetSize() == (512, 512, 300)
    for _, x, y, z, diameter in rows["annotations.csv"]:
        assert 3 <= diameter <= 30
        assert all(
            0 <= i < n for i, n in zip(image.TransformPhysicalPointToIndex((x, y, z)), image.GetSize(), strict=True)
        )
