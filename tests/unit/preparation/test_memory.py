import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid
from lungpipe.lungs.coarse import coarsen, count_cells, orient
from lungpipe.preparation.memory import (
    CELL_BYTES,
    FIXED_BYTES,
    PACKED_BYTES,
    PROGRAM_BYTES,
    estimate_comparison_bytes,
    estimate_peak_bytes,
    list_refused,
    require_comparison_memory,
    require_memory,
    worker_bytes,
)
from lungpipe.preparation.workers import GIB
from lungpipe.settings import PreprocessingSettings
from lungpipe.volumes.manifest import MANIFEST_FILE, VolumeEntry, write_manifest

SETTINGS = PreprocessingSettings()
MM = (1.0, 1.0, 1.0)


def peak(native, spacing=MM, target=MM, **options):
    grid = Grid(native, spacing)
    return estimate_peak_bytes(grid, grid.resampled(target), **options) - FIXED_BYTES


@pytest.mark.parametrize("spacing", [(0.5, 0.742, 0.742), (0.6, 0.742, 0.742)])
def test_a_thin_sliced_scan_peaks_where_it_is_resampled(spacing):
    # both grids' HU, and six slices in floating point; smoothing takes no more
    native = Grid((700, 512, 512), spacing)
    voxels = math.prod(native.shape_zyx) + math.prod(native.resampled(MM).shape_zyx)
    assert peak(native.shape_zyx, spacing) == 2 * voxels + 24 * 512 * 512


def test_a_thick_sliced_scan_peaks_where_it_is_stored():
    # 133 mm by 2.5 become 331 planes
    native = (133, 512, 512)
    target = Grid(native, (2.5, 0.742, 0.742)).resampled(MM)
    assert target.shape_zyx == (331, 380, 380)
    voxels, cells = 331 * 380 * 380, 166 * 190 * 190
    # an odd side: the half-resolution level is made of a copy, while two thirds of the shards are not given back yet
    written = int(PACKED_BYTES * voxels) * 2 // 3 + 3 * voxels
    assert peak(native, (2.5, 0.742, 0.742)) == 2 * voxels + written + CELL_BYTES * cells


@pytest.mark.parametrize(("num_planes", "copied_bytes"), [(300, 0), (299, 2)])
def test_even_sides_are_halved_without_a_copy(num_planes, copied_bytes):
    voxels, cells = num_planes * 380 * 380, 150 * 190 * 190
    written = int(PACKED_BYTES * voxels) * 2 // 3 + (copied_bytes + 1) * voxels
    assert peak((num_planes, 380, 380)) == 2 * voxels + written + CELL_BYTES * cells


def test_more_threads_hold_more_slices():
    # the stage of storing hides what few threads take
    assert peak((40, 512, 512), (5.0, 0.8, 0.8), target=(5.0, 0.8, 0.8), threads=1) < peak(
        (40, 512, 512), (5.0, 0.8, 0.8), target=(5.0, 0.8, 0.8), threads=64
    )


@pytest.mark.parametrize(("step_mm", "num_bytes"), [(1.0, 4), (0.5, 6)])
def test_a_turned_scan_is_copied_once_more_where_it_is_smoothed(step_mm, num_bytes):
    direction = ((1, 0, 0), (0, 0.96, -0.28), (0, 0.28, 0.96))
    turned = Grid((300, 512, 512), (step_mm, 0.742, 0.742), direction_zyx=direction)
    expected = num_bytes * 300 * 512 * 512 + 6 * math.prod(turned.resampled(MM).shape_zyx)
    assert estimate_peak_bytes(turned, turned.resampled(MM)) == FIXED_BYTES + expected


def test_reading_is_a_stage_of_its_own():
    shape = (600, 512, 512)
    assert peak(shape, (0.6, 0.742, 0.742), reading_bytes=GIB) == 2 * math.prod(shape) + GIB


@pytest.mark.parametrize(
    ("shape", "spacing", "sizes", "expected"),
    [
        # a byte for the labels and one for each of three masks
        ((600, 512, 512), (0.6, 0.742, 0.742), (1, 10**6), 4 * 600 * 512 * 512),
        ((600, 512, 512), (0.6, 0.742, 0.742), (2, 10**6), 6 * 600 * 512 * 512),
        ((600, 512, 512), (0.6, 0.742, 0.742), (1, GIB), 2 * 600 * 512 * 512 + GIB),
        # 133 mm by 2.5 become 331 planes: both grids, twice
        ((133, 512, 512), (2.5, 0.742, 0.742), (1, 10**6), 2 * (133 * 512 * 512 + 331 * 380 * 380)),
        ((50, 100, 100), (5.0, 1.0, 1.0), (1, 10**4), 3 * 246 * 100 * 100),
    ],
    ids=["labels", "wide labels", "file", "resampled", "compared"],
)
def test_a_comparison_peaks_at_its_largest_stage(shape, spacing, sizes, expected):
    label_bytes, file_bytes = sizes
    native = Grid(shape, spacing)
    found = estimate_comparison_bytes(native, native.resampled(MM), label_bytes=label_bytes, file_bytes=file_bytes)
    assert found == FIXED_BYTES + expected


@pytest.mark.parametrize("shape", [(300, 380, 380), (279, 279, 279), (60, 121, 97)])
def test_the_coarse_grid_is_counted_as_it_is_made(shape):
    grid = Grid(shape, (1.0, 0.9, 1.1))
    hu = np.zeros(shape, dtype=np.int16)
    assert count_cells(grid) == coarsen(orient(hu, grid), grid).hu.size


def test_scans_of_700_slices_pass_by_default():
    for shape, spacing in (((700, 512, 512), (0.5, 0.7, 0.7)), ((700, 512, 512), (0.5, 0.977, 0.977))):
        assert PROGRAM_BYTES + peak(shape, spacing) + FIXED_BYTES < worker_bytes(SETTINGS)


@pytest.fixture
def header(tmp_path):
    """Write a header, and as much of its voxels as a file system calls a file without storing any."""

    def write(shape=(20, 60, 60), spacing=MM, packed_bytes=None, **fields):
        z, y, x = shape
        lines = {
            "ObjectType": "Image",
            "NDims": 3,
            "DimSize": f"{x} {y} {z}",
            "ElementSpacing": " ".join(map(str, reversed(spacing))),
            "ElementType": "MET_SHORT",
            **({} if packed_bytes is None else {"CompressedData": True}),
            **fields,
            "ElementDataFile": "1.2.raw",
        }
        path = tmp_path / "1.2.mhd"
        path.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
        with path.with_suffix(".raw").open("wb") as stream:
            stream.truncate(2 * math.prod(shape) if packed_bytes is None else packed_bytes)
        return ScanFiles("1.2", path, path.with_suffix(".raw"))

    return write


def test_a_scan_that_needs_exactly_the_limit_passes(header):
    scan = header()
    needed = require_memory(scan, SETTINGS, GIB)
    assert require_memory(scan, SETTINGS, needed) == needed
    with pytest.raises(ScanError, match="expected a scan that is prepared in"):
        require_memory(scan, SETTINGS, needed - 1)


def test_an_absurd_grid_is_refused_by_its_header_with_need_limit_and_setting(header):
    # 4.5 mm instead of 0.45: 2300 mm along each axis, 12 billion voxels of 1 mm
    with pytest.raises(ScanError) as caught:
        require_memory(header((512, 512, 512), (4.5, 4.5, 4.5)), SETTINGS, 4 * GIB)
    message = str(caught.value)
    assert "1.2.mhd: expected a scan that is prepared in 4.00 GiB (preprocessing.worker_memory_gib" in message
    assert (
        "512 x 512 x 512 voxels of 4.5 x 4.5 x 4.5 mm become 2300 x 2300 x 2300 voxels of 1 x 1 x 1 mm (zyx)" in message
    )
    found = float(message.split("one that needs ")[1].split(" GiB")[0])
    assert found > 5 * 2300**3 / GIB


def test_a_spacing_beyond_all_scanners_is_refused_before_anything_is_counted(header):
    with pytest.raises(ScanError, match="found 50, 50, 50"):
        require_memory(header((512, 512, 512), (50.0, 50.0, 50.0)), SETTINGS, 4 * GIB)


def test_packed_and_swapped_voxels_need_more_and_a_reference_nothing(header):
    shape = (300, 512, 512)
    voxels = math.prod(shape)
    plain = require_memory(header(shape, (1.0, 0.742, 0.742)), SETTINGS, 4 * GIB)
    packed = require_memory(header(shape, (1.0, 0.742, 0.742), packed_bytes=GIB), SETTINGS, 4 * GIB)
    assert packed == PROGRAM_BYTES + FIXED_BYTES + 4 * voxels + GIB
    scan = header(shape, (1.0, 0.742, 0.742), BinaryDataByteOrderMSB=True)
    assert require_memory(scan, SETTINGS, 4 * GIB) == max(plain, PROGRAM_BYTES + FIXED_BYTES + 4 * voxels)
    assert require_memory(replace(scan, reference=scan), SETTINGS, 4 * GIB) == require_memory(scan, SETTINGS, 4 * GIB)


def test_a_comparison_that_needs_exactly_the_limit_passes(header):
    scan = header((300, 512, 512))
    target = Grid((300, 512, 512)).resampled(MM)
    needed = require_comparison_memory(scan, scan, target, 4 * GIB)
    # two bytes of labels as they are, and two masks beside a copy of them
    assert needed == PROGRAM_BYTES + FIXED_BYTES + 6 * 300 * 512 * 512
    assert require_comparison_memory(scan, scan, target, needed) == needed
    with pytest.raises(ScanError, match=r"1\.2\.mhd: expected a reference that is compared in 1\.1\d GiB"):
        require_comparison_memory(scan, scan, target, needed - 1)


def test_refused_scans_are_listed_but_for_prepared_ones_and_files_still_to_come(header, tmp_path):
    scan, out = header((300, 512, 512)), tmp_path / "out"
    missing = ScanFiles("1.3", tmp_path / "1.3.mhd", tmp_path / "1.3.raw")
    small = SETTINGS.model_copy(update={"worker_memory_gib": 1.0})
    assert list_refused([scan, missing], out, SETTINGS) == []
    assert list_refused([scan, missing], out, small) == ["1.2"]
    write_manifest(out / MANIFEST_FILE, [VolumeEntry("1.2", "1.2.ome.zarr", (1, 1, 1), MM, MM, *"spch", 0.0, 0, 0, {})])
    assert list_refused([scan, missing], out, small) == []
    (out / MANIFEST_FILE).write_text("[" * 100_000)
    assert list_refused([scan, missing], out, small) == ["1.2"]
    scan.header_path.write_text("NDims = 2\n")
    assert list_refused([replace(scan, series_uid="1.4")], out, SETTINGS) == ["1.4"]


_MEASURE = """
import json, sys
from pathlib import Path
import numpy as np
from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.settings import PreprocessingSettings
from lungpipe.preparation.prepare import run_task
from lungpipe.preparation.volume import ScanTask
from lungpipe.preparation.memory import PROGRAM_BYTES, require_memory

def read(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])

header, settings = Path(sys.argv[1]), PreprocessingSettings()
scan = ScanFiles("1.2.3", header, header.with_suffix(".raw"))
baseline = read("VmRSS")
outcome = run_task(ScanTask(scan, header.parent / "out", settings, "", 0, np.empty((0, 3))))
peak = read("VmHWM") - baseline
print(json.dumps([outcome.row["reason"], peak, require_memory(scan, settings, 2**40) - PROGRAM_BYTES]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("chest", "shape", "spacing"),
    [(1.15, (299, 322, 436), (1.0, 1.0, 1.0)), (0.6, (312, 336, 456), (0.5, 0.5, 0.5))],
    ids=["stored", "smoothed"],
)
def test_a_measured_peak_is_below_the_estimate_by_no_more_than_half(tmp_path, draw, write_scan, chest, shape, spacing):
    drawn = draw(spacing=spacing, scale=chest)
    assert drawn.grid.shape_zyx == shape
    scan = write_scan(tmp_path, "1.2.3", drawn.hu, drawn.grid)
    command = [sys.executable, "-c", _MEASURE, str(scan.header_path)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    reason, measured, estimated = json.loads(answer.stdout)
    assert reason == ""
    assert measured <= estimated <= 1.5 * measured
