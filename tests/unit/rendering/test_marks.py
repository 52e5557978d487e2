"""Nodules of a rendering from CSV files."""

import pytest

from lungpipe.rendering.marks import UNKNOWN_MM, Mark, malignancy_colour, read_marks
from lungpipe.tables.errors import InputError

HEAD = "seriesuid,coordX,coordY,coordZ,diameter_mm,probability,malignancy\n"


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "candidates.csv"
        path.write_text(text)
        return path

    return write


def test_rows_of_the_series_above_the_threshold(write):
    path = write(f"{HEAD}a,1,2,3,6,0.9,0.25\nb,1,2,3,6,0.9,0.5\na,4,5,6,8,0.4,0.75\n")
    assert read_marks(path, "a", threshold=0.5) == (Mark((3.0, 2.0, 1.0), 6.0, 0.25),)
    assert len(read_marks(path, "a")) == 2


def test_annotations_have_no_malignancy_and_may_lack_a_diameter(write):
    path = write("seriesuid,coordX,coordY,coordZ,diameter_mm\na,1,2,3,-1\n")
    assert read_marks(path, "a") == (Mark((3.0, 2.0, 1.0), UNKNOWN_MM, None),)
    assert read_marks(write("seriesuid,coordX,coordY,coordZ\na,1,2,3\n"), "a")[0].diameter_mm == UNKNOWN_MM


def test_wrong_tables_are_refused(write):
    with pytest.raises(InputError, match="expected rows of the series c, found none in 1 rows"):
        read_marks(write(f"{HEAD}a,1,2,3,6,0.9,0.25\n"), "c")
    with pytest.raises(InputError, match=r"row 2, column malignancy: expected 0 to 1, found 4"):
        read_marks(write(f"{HEAD}a,1,2,3,6,0.9,0.25\na,1,2,3,6,0.9,4\n"), "a")


def test_colours_go_from_blue_over_yellow_to_red():
    red, green, blue = malignancy_colour(0.0)
    assert blue > max(red, green)
    red, green, blue = malignancy_colour(0.5)
    assert min(red, green) > blue
    red, green, blue = malignancy_colour(1.0)
    assert red > max(green, blue)
    assert len(set(malignancy_colour(None))) == 1
