"""Every writer on a disk that does not take its file: an error that names the file, and nothing in its place."""

import numpy as np
import pandas as pd
import pytest
import torch
from full_disk import file_limit, small_disk
from matplotlib.figure import Figure

from lungpipe.geometry import Grid
from lungpipe.models.model import save_tensors
from lungpipe.preparation.image_files import IMAGE_ENDINGS, write_image
from lungpipe.reporting.style import save_png
from lungpipe.services.tracking.records import Begin, Record
from lungpipe.tables import CANDIDATES, WriteError, write_json, write_table
from lungpipe.training.resume import save_resume
from lungpipe.volumes.writer import write_volume

GRID = Grid((30, 40, 50), (1.0, 1.0, 1.0))
HU = np.random.default_rng(0).integers(-1000, 1000, GRID.shape_zyx).astype(np.int16)


def table():
    number = np.arange(3000.0) % 97 / 97
    ids = [f"1.2#c{place}" for place in range(3000)]
    values = {"candidate_id": ids, "series_uid": "1.2", "fold": 0, "diameter_mm": 5.0, "detector_score": number}
    return pd.DataFrame({**values, **{f"center_{axis}_mm": np.random.default_rng(0).random(3000) for axis in "zyx"}})


def figure():
    drawn = Figure()
    drawn.add_subplot().imshow(np.random.default_rng(0).random((200, 200)))
    return drawn


WRITERS = {
    "scan.ome.zarr": lambda path: write_volume(path, HU, GRID, HU.astype(np.uint8), series_uid="1.2", attributes={}),
    **{f"scan{ending}": lambda path: write_image(path, HU, GRID) for ending in IMAGE_ENDINGS},
    "table.parquet": lambda path: write_table(table(), path, CANDIDATES),
    "list.json": lambda path: write_json(path, list(range(9000))),
    "figure.png": lambda path: save_png(figure(), path),
    "member.pt": lambda path: save_resume(path, {"weights": torch.rand(9000)}, "identity"),
    "model.safetensors": lambda path: save_tensors(path, {"weights": torch.rand(9000)}, {}),
}


@pytest.fixture(params=WRITERS)
def writer(request):
    return request.param, WRITERS[request.param]


def test_a_file_that_may_not_grow_is_named_and_nothing_is_left(writer, tmp_path):
    name, write = writer
    with file_limit(5000), pytest.raises(WriteError, match=rf"{name}: expected to write it, found") as caught:
        write(tmp_path / "out" / name)
    assert caught.value.filename == str(tmp_path / "out" / name)
    assert list((tmp_path / "out").iterdir()) == []
    write(tmp_path / "out" / name)
    assert (tmp_path / "out" / name).exists()


def test_a_full_disk_is_named_and_the_old_file_stays(writer, tmp_path):
    name, write = writer
    write(tmp_path / name)
    with small_disk(tmp_path / "disk", 20) as disk:
        (disk / name).write_text("old")
        if name.endswith(".ome.zarr"):
            (disk / name).unlink()
        with pytest.raises(WriteError, match=rf"{name}: expected to write it, found"):
            write(disk / name)
        assert [path.read_text() for path in disk.iterdir()] == ([] if name.endswith(".ome.zarr") else ["old"])


def test_a_folder_in_the_place_of_a_file_is_named(writer, tmp_path):
    name, write = writer
    if name.endswith(".ome.zarr"):
        pytest.skip("a store is a folder")
    (tmp_path / name / "inner").mkdir(parents=True)
    with pytest.raises(WriteError, match=rf"{name}: expected to write it, found .*[Dd]irectory"):
        write(tmp_path / name)
    # the voxels of a .mhd may have their place before the header has
    left = {path.name for path in tmp_path.iterdir()} - {"scan.raw", "scan.zraw"}
    assert left == {name}


def test_a_record_that_the_disk_does_not_take_is_named(tmp_path):
    record = Record(tmp_path / "outbox", Begin("plan", "train_detector"))
    expected = r"outbox/.*\.jsonl: expected to write it, found File too large"
    with file_limit(2000), pytest.raises(WriteError, match=expected):
        log_steps(record)


def log_steps(record):
    for step in range(100):
        record.log(step, {"loss": 0.5})
