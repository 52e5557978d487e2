"""Candidates of a CSV: those of the series, most probable first, with what the file knows of each."""

import pytest
from viewer_scenes import make_grid

from lungpipe.tables.errors import InputError
from lungpipe.viewer import listed
from lungpipe.viewer.listed import read_marks, slice_number

GRID = make_grid()


def write(path, header, *rows):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_submission_is_sorted_and_numbered(tmp_path):
    header = "seriesuid,coordX,coordY,coordZ,probability"
    table = write(tmp_path / "a.csv", header, "1.2,18,35,-120,0.2", "1.3,0,0,0,1", "1.2,20,30,-146,0.7")
    marks, num_rows = read_marks(table, "1.2", GRID)
    assert num_rows == 3
    assert [(one.number, one.probability, one.center_zyx_mm, one.slice_number) for one in marks] == [
        (1, 0.7, (-146.0, 30.0, 20.0), 1),
        (2, 0.2, (-120.0, 35.0, 18.0), 14),
    ]
    assert (marks[0].diameter_mm, marks[0].malignancy, marks[0].side) == (None, None, None)


def test_columns_of_a_prediction_are_kept_and_may_be_empty(tmp_path):
    header = "seriesuid,coordX,coordY,coordZ,probability,diameter_mm,side,malignancy,number"
    table = write(tmp_path / "a.csv", header, "1.2,18,35,-120,0.2,5.5,left,0.25,7", "1.2,18,35,-120,0.1,6,,,8")
    (first, second), _ = read_marks(table, "1.2", GRID)
    assert (first.number, first.diameter_mm, first.side, first.malignancy) == (7, 5.5, "left", 0.25)
    assert (second.number, second.diameter_mm, second.side, second.malignancy) == (8, 6.0, None, None)


def test_annotations_have_no_score(tmp_path):
    table = write(tmp_path / "a.csv", "seriesuid,coordX,coordY,coordZ,diameter_mm", "1.2,18,35,-120,5.5")
    [mark], _ = read_marks(table, "1.2", GRID)
    assert (mark.probability, mark.diameter_mm) == (None, 5.5)


def test_the_most_probable_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(listed, "MAX_MARKS", 2)
    rows = [f"1.2,18,35,-120,0.{number}" for number in (1, 5, 3)]
    table = write(tmp_path / "a.csv", "seriesuid,coordX,coordY,coordZ,probability", *rows)
    marks, num_rows = read_marks(table, "1.2", GRID)
    assert ([one.probability for one in marks], num_rows) == ([0.5, 0.3], 3)


def test_wrong_files_are_named(tmp_path):
    table = write(tmp_path / "a.csv", "seriesuid,coordX,coordY,coordZ,probability", "1.2,18,35,-120,7")
    with pytest.raises(InputError, match=r"a.csv, row 1, column probability: expected 0 to 1, found 7"):
        read_marks(table, "1.2", GRID)


def test_slices_are_counted_within_the_scan():
    assert slice_number(GRID, (-146.0, 0.0, 0.0)) == 1
    assert slice_number(GRID, (-94.0, 0.0, 0.0)) == 27
    assert slice_number(GRID, (-500.0, 0.0, 0.0)) == 1
    assert slice_number(make_grid("feet first"), (-146.0, 0.0, 0.0)) == 27
