import pytest
from PIL import Image

from lungpipe.reporting.figures import draw_figures

NAMES = ("froc", "training", "candidates")


def test_three_figures_of_the_width_of_a_page(figure_folder):
    assert sorted(path.name for path in figure_folder.iterdir()) == sorted(f"{name}.png" for name in NAMES)
    sizes = {name: Image.open(figure_folder / f"{name}.png").size for name in NAMES}
    assert sizes["training"] == (1600, 940)
    assert sizes["candidates"] == (1600, 1070)
    assert min(sizes["froc"]) >= 500


def test_the_same_inputs_give_the_same_bytes_whatever_the_users_style(figure_folder, figure_inputs, tmp_path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 30.0, "axes.facecolor": "red", "savefig.dpi": 10}):
        draw_figures(figure_inputs, tmp_path)
    for name in NAMES:
        assert (tmp_path / f"{name}.png").read_bytes() == (figure_folder / f"{name}.png").read_bytes(), name


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_tells_neither_time_nor_version_nor_series(figure_folder, name):
    content = (figure_folder / f"{name}.png").read_bytes()
    assert set(Image.open(figure_folder / f"{name}.png").info) <= {"dpi"}
    assert b"tEXt" not in content
    assert b"tIME" not in content
