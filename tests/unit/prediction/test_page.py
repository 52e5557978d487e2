"""The Python that docs/predict.md shows runs."""

import re
from pathlib import Path

from lungpipe.datasets.read import read_scan

PAGE = Path(__file__).parents[3] / "docs" / "predict.md"


def test_the_examples_of_the_page_run(chest, model_folder, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    text = "\n".join(blocks)
    for shown, real in {"results/phantom/flagship/fold0": model_folder, "scan.mhd": chest, "0.5)": "0.01)"}.items():
        assert shown in text
        text = text.replace(shown, str(real))
    scan = read_scan(chest)
    names = {"hu": scan.hu}
    exec(text, names)  # noqa: S102
    assert len(capsys.readouterr().out.splitlines()) > 3
    assert names["lungs"].shape == names["nodules"].shape == scan.hu.shape
    assert names["prediction"].scan_grid.spacing_zyx_mm == (1.25, 0.7, 0.7)
