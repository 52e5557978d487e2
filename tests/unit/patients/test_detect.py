"""What a dataset's folder is, and which scans are in it."""

import pytest

from lungpipe.patients.detect import is_dataset, list_dataset


def write_header(folder, uid):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{uid}.mhd").write_text("NDims = 3\nElementDataFile = none.raw\n")


def test_a_folder_with_subset_folders_is_a_dataset(tmp_path):
    assert not is_dataset(tmp_path)
    (tmp_path / "subset3.zip").write_bytes(b"")
    (tmp_path / "subset").mkdir()
    (tmp_path / "1.2.3").mkdir()
    assert not is_dataset(tmp_path)
    assert not is_dataset(tmp_path / "none")
    (tmp_path / "subset3").mkdir()
    assert is_dataset(tmp_path)
    assert not is_dataset(tmp_path / "subset3.zip")


def test_the_scans_of_all_subsets_are_listed_in_their_order(tmp_path):
    for subset, uid in ((10, "1.1"), (2, "1.3"), (2, "1.2")):
        write_header(tmp_path / f"subset{subset}", uid)
    assert list(list_dataset(tmp_path)) == ["1.2", "1.3", "1.1"]
    assert list_dataset(tmp_path)["1.1"] == tmp_path / "subset10" / "1.1.mhd"


def test_a_series_twice_is_refused(tmp_path):
    for subset in (0, 1):
        write_header(tmp_path / f"subset{subset}", "1.1")
    with pytest.raises(ValueError, match=r"series 1\.1: expected it once, found it 2 times"):
        list_dataset(tmp_path)
