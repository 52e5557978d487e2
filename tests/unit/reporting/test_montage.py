import matplotlib.image
import numpy as np
import pytest

from lungpipe.reporting.montage import Panel, draw_montage


def test_panels_are_drawn_in_the_window_and_in_order(tmp_path):
    black, white = np.full((20, 20), -1000), np.full((20, 20), 400)
    draw_montage([Panel(black), Panel(white)], tmp_path / "m.png", num_columns=2)
    image = matplotlib.image.imread(tmp_path / "m.png")[..., 0]
    height, width = image.shape
    assert image[height // 2, width // 4] == 0
    assert image[height // 2, 3 * width // 4] == 1


def test_rows_follow_from_the_number_of_columns(tmp_path):
    panels = [Panel(np.zeros((8, 8)), title=str(i)) for i in range(5)]
    draw_montage(panels, tmp_path / "wide.png", num_columns=5)
    draw_montage(panels, tmp_path / "high.png", num_columns=2)
    wide, high = (matplotlib.image.imread(tmp_path / name) for name in ("wide.png", "high.png"))
    assert wide.shape[1] == pytest.approx(2.5 * high.shape[1], abs=3)
    assert high.shape[0] == pytest.approx(3 * wide.shape[0], abs=3)


def test_the_same_panels_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        draw_montage([Panel(np.eye(9) * 300)], tmp_path / name, num_columns=1)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="expected at least one panel"):
        draw_montage([], tmp_path / "m.png", num_columns=3)
    assert list(tmp_path.iterdir()) == []
