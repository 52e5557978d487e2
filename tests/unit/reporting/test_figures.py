import pytest
from PIL import Image

from lungpipe.reporting.figures import CHARTS, PICTURES, draw_figures

NAMES = ("froc", "training", "candidates")


def test_three_figures_of_the_width_of_a_page(figure_folder):
    files = [f"{name}.png" for name in NAMES] + [CHARTS, PICTURES, "digests.json"]
    assert sorted(path.name for path in figure_folder.iterdir()) == sorted(files)
    sizes = {name: Image.open(figure_folder / f"{name}.png").size for name in NAMES}
    assert sizes["training"] == (1600, 940)
    assert sizes["candidates"] == (1600, 1070)
    assert min(sizes["froc"]) >= 500


def test_the_same_inputs_give_the_same_bytes_whatever_the_users_style(figure_folder, figure_inputs, tmp_path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 30.0, "axes.facecolor": "red", "savefig.dpi": 10}):
        draw_figures(figure_inputs, tmp_path)
    for name in (*(f"{name}.png" for name in NAMES), CHARTS, PICTURES):
        assert (tmp_path / name).read_bytes() == (figure_folder / name).read_bytes(), name


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_tells_neither_time_nor_version_nor_series(figure_folder, name):
    content = (figure_folder / f"{name}.png").read_bytes()
    assert set(Image.open(figure_folder / f"{name}.png").info) <= {"dpi"}
    assert b"tEXt" not in content
    assert b"tIME" not in content


@pytest.mark.parametrize("name", [CHARTS, PICTURES])
def test_charts_and_pictures_name_no_series_and_no_patient(figure_folder, figure_inputs, name):
    content = (figure_folder / name).read_text()
    patients = figure_inputs.stored.patients["patient_id"]
    assert len(content) > 10_000
    assert [known for known in (*patients, *figure_inputs.stored.subset_of) if known in content] == []
