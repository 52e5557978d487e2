"""DICOM series of several directions, and predictions with two balls in them."""

import pytest
from dicom_balls import DIRECTIONS, predict_balls, write_series


@pytest.fixture
def write(tmp_path):
    return lambda *words, **changes: write_series(tmp_path / "series", *words, **changes)


@pytest.fixture(scope="session")
def balls():
    return predict_balls


@pytest.fixture(scope="session", params=[*DIRECTIONS, "descending"])
def directed(request, tmp_path_factory):
    """A series of every direction, with its prediction."""
    is_descending = request.param == "descending"
    name = "plain" if is_descending else request.param
    series = write_series(tmp_path_factory.mktemp("dicom") / "series", name, is_descending=is_descending)
    return request.param, series, predict_balls(series)
