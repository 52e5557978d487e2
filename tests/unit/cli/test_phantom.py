"""The phantom from the command line: what the room writes, in a folder of its own."""

import filecmp

import pandas as pd
import pytest
from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.datasets.luna16 import check_dataset, list_scans
from lungpipe.phantom import FULL_SIZE, write_phantom
from lungpipe.settings import PhantomSettings


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["phantom", *(str(argument) for argument in arguments)])
    assert result.exit_code == code, result.output
    return result.output


def same_bytes(one, other):
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    return filecmp.cmpfiles(one, other, [str(name) for name in names], shallow=False)[0] == [str(n) for n in names]


def test_a_dataset_in_lunas_layout_with_the_rooms_bytes(tmp_path):
    said = run(tmp_path / "new" / "out", "--subsets", 3, "--scans-per-subset", 1, "--seed", 7, "--workers", 1)
    check_dataset(tmp_path / "new" / "out", 3)
    assert [len(list_scans(tmp_path / "new" / "out", subset)) for subset in range(3)] == [1, 1, 1]
    write_phantom(tmp_path / "room", PhantomSettings(scans_per_subset=1, seed=7), 3)
    assert same_bytes(tmp_path / "new" / "out", tmp_path / "room")
    assert said.endswith("3 scans in 3 subsets\n")


def test_quiet_shows_nothing(tmp_path):
    assert run(tmp_path / "out", "--subsets", 1, "--scans-per-subset", 1, "--quiet") == ""
    assert (tmp_path / "out" / "series.csv").is_file()


def test_the_seed_decides_and_an_empty_folder_will_do(tmp_path):
    (tmp_path / "a").mkdir()
    for name, seed in (("a", 7), ("b", 8)):
        run(tmp_path / name, "--subsets", 1, "--scans-per-subset", 1, "--seed", seed)
    one, other = (pd.read_csv(tmp_path / name / "series.csv") for name in "ab")
    assert one["seriesuid"][0] != other["seriesuid"][0]


def test_a_folder_with_anything_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    said = run(tmp_path, code=2)
    assert "expected a new or an empty folder, found mine.txt" in said.replace("\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    assert "File exists" in run(tmp_path / "out", code=2)


@pytest.mark.parametrize(
    ("options", "expected"),
    [((), (4, None)), (("--full-size",), (1, 512)), (("--full-size", "--scans-per-subset", 2), (2, 512))],
)
def test_size_and_number_of_scans(tmp_path, monkeypatch, options, expected):
    asked = []
    monkeypatch.setattr("lungpipe.phantom.write_phantom", lambda *a, **k: asked.append((a, k)))
    run(tmp_path / "out", "--subsets", 2, *options)
    (_, settings, num_subsets), _ = asked[0]
    assert (settings.scans_per_subset, settings.matrix_size) == expected
    assert (num_subsets, settings.seed) == (2, 2016)
    assert (settings.extent_zyx_mm == FULL_SIZE.extent_zyx_mm) == ("--full-size" in options)


@pytest.mark.parametrize("options", [("--subsets", 0), ("--scans-per-subset", 0), ("--seed", -1), ("--workers", 0)])
def test_impossible_numbers_are_refused(tmp_path, options):
    run(tmp_path / "out", *options, code=2)
    assert not (tmp_path / "out").exists()
