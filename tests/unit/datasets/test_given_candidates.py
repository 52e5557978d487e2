"""LUNA16's candidates as they are read."""

import pytest

from lungpipe.datasets.annotations import DatasetError, read_candidates

HEADER = "seriesuid,coordX,coordY,coordZ,class\n"


def test_candidates_are_read_in_the_order_of_axes_zyx(tmp_path):
    (tmp_path / "candidates.csv").write_text(HEADER + "1.2,-56.08,-67.85,-311.92,0\n1.3,1,2,3,1\n")
    table = read_candidates(tmp_path)
    assert table[["center_z_mm", "center_y_mm", "center_x_mm"]].to_numpy().tolist() == [
        [-311.92, -67.85, -56.08],
        [3.0, 2.0, 1.0],
    ]
    assert table["is_nodule"].tolist() == [False, True]
    assert table["series_uid"].tolist() == ["1.2", "1.3"]


def test_the_second_version_is_read_rather_than_the_first_and_a_table_by_its_name(tmp_path):
    (tmp_path / "candidates.csv").write_text(HEADER + "1.2,1,2,3,0\n")
    (tmp_path / "candidates_V2.csv").write_text(HEADER + "1.9,1,2,3,0\n")
    assert read_candidates(tmp_path)["series_uid"].tolist() == ["1.9"]
    assert read_candidates(tmp_path / "candidates.csv")["series_uid"].tolist() == ["1.2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEADER + "1.2,1,2,3,2\n", r"candidates_V2\.csv, line 2, series 1\.2: class: expected 0 or 1, found '2'"),
        (HEADER + "1.2,1,left,3,0\n", r"line 2, series 1\.2: coordY: expected a finite number in mm"),
        (
            "seriesuid,coordX,coordY,coordZ\n",
            r"candidates_V2\.csv, row 0 \(the header\), column class: expected the columns",
        ),
    ],
)
def test_a_table_that_cannot_be_read_is_named_with_its_line(tmp_path, text, expected):
    (tmp_path / "candidates_V2.csv").write_text(text)
    with pytest.raises(DatasetError, match=expected):
        read_candidates(tmp_path)


def test_a_dataset_without_candidates_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"candidates_V2\.csv: expected a table with the columns .* found no file"):
        read_candidates(tmp_path)
