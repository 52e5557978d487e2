import matplotlib.image
import numpy as np

from lungpipe.evaluation.evaluate import BAND_RATES
from lungpipe.evaluation.froc import Froc
from lungpipe.reporting.froc_figure import draw_froc

NO_BAND = np.full((len(BAND_RATES), 2), np.nan)
CURVE = Froc(np.array([0.0, 0.1, 4.0]), np.array([0.0, 0.5, 0.9]), np.array([np.inf, 0.9, 0.1]))


def test_the_figure_is_a_picture_and_the_same_curve_the_same_bytes(tmp_path):
    for name in ("first.png", "again.png"):
        draw_froc(CURVE, NO_BAND, tmp_path / name)
    picture = matplotlib.image.imread(tmp_path / "first.png")
    assert picture.shape[:2] == (600, 840)
    draw_froc(CURVE, NO_BAND, tmp_path / "counted.png", summary={"num_nodules": 7, "num_scans": 3})
    assert (tmp_path / "counted.png").read_bytes() != (tmp_path / "first.png").read_bytes()
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_the_band_colours_the_area_between_its_bounds(tmp_path):
    band = np.stack([np.full(len(BAND_RATES), 0.3), np.full(len(BAND_RATES), 0.95)], axis=1)
    draw_froc(CURVE, band, tmp_path / "band.png")
    draw_froc(CURVE, NO_BAND, tmp_path / "plain.png")
    with_band, without = (matplotlib.image.imread(tmp_path / name) for name in ("band.png", "plain.png"))
    is_changed = (with_band != without).any(axis=-1)
    # the band is 0.65 of the axes' height; the axes are about three quarters of the picture
    assert 0.35 < is_changed.mean() < 0.65


def test_a_curve_without_nodules_is_drawn_empty(tmp_path):
    draw_froc(Froc(np.array([0.0]), np.array([np.nan]), np.array([np.inf])), NO_BAND, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 1000
