"""The viewer from the command line: a file, a served page, and what is refused."""

import re
import threading
from urllib.request import urlopen

import numpy as np
import pytest
from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.preparation.image_files import write_image
from lungpipe.viewer.serve import PageServer
from lungpipe.volumes.store import open_volume


@pytest.fixture
def store(write_store):
    return write_store("1.2.826.0.1", np.full((8, 9, 10), -900))


@pytest.fixture
def candidates(tmp_path):
    path = tmp_path / "candidates.csv"
    path.write_text("seriesuid,coordX,coordY,coordZ,probability,number\n1.2.826.0.1,3,4,5,0.75,1\n")
    return path


def view(*words, code=0):
    result = CliRunner().invoke(app, ["view", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def facts(page):
    [text] = re.findall(r'<script id="scene" type="application/json">(.*?)</script>', page.read_text())
    return text


def test_a_page_is_written_once(store, candidates, tmp_path):
    page = tmp_path / "page.html"
    result = view(store, "--candidates", candidates, "--out", page)
    assert re.fullmatch(rf"{re.escape(str(page))}: \d+ MB; open the file in a browser\n", result.stdout)
    assert '"center_xyz_mm": [3.0, 4.0, 5.0]' in facts(page)
    assert '"masks": ["lungs"]' in facts(page)
    assert "1.2.826.0.1" not in page.read_text()
    assert "expected no such file" in view(store, "--out", page, code=2).output
    view(store, "--no-lungs", "--threshold", 0.25, "--out", page, "--force")
    assert '"masks": []' in facts(page)
    assert '"threshold": 0.25' in facts(page)


def test_the_folder_of_a_prediction_has_candidates_and_masks(store, candidates, tmp_path):
    folder = candidates.parent
    nodules = np.zeros((8, 9, 10), np.uint16)
    nodules[5, 4, 3] = 1
    write_image(folder / "nodules.nii.gz", nodules, open_volume(store).grid)
    view(store, "--prediction", folder, "--out", tmp_path / "page.html")
    assert '"masks": ["lungs", "nodules"]' in facts(tmp_path / "page.html")
    (tmp_path / "empty").mkdir()
    result = view(store, "--prediction", tmp_path / "empty", "--out", tmp_path / "other.html", code=2)
    assert "expected candidates.csv of a prediction, found none" in result.output
    assert not (tmp_path / "other.html").exists()


def test_without_a_file_the_page_is_served_until_it_is_stopped(store, monkeypatch):
    opened = []

    def visit_and_stop(server):
        loop = threading.Thread(target=lambda: super(PageServer, server).serve_forever(), daemon=True)
        loop.start()
        with urlopen(server.url) as answer:  # noqa: S310 - an http address of this machine
            opened.append(answer.read())
        server.shutdown()
        raise KeyboardInterrupt

    monkeypatch.setattr(PageServer, "serve_forever", visit_and_stop)
    result = view(store, "--no-browser")
    assert re.match(r"http://127\.0\.0\.1:\d+/\S+/\nCtrl-C stops\.\nstopped\n", result.stdout)
    assert b"lungpipe viewer" in opened[0]


def test_the_browser_is_opened_at_the_address(store, monkeypatch):
    addresses = []

    def stop(server):
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", addresses.append)
    monkeypatch.setattr(PageServer, "serve_forever", stop)
    assert view(store).stdout.splitlines()[0] == addresses[-1]


def test_bad_input_is_one_line(tmp_path):
    result = view(tmp_path / "none.mhd", "--out", tmp_path / "page.html", code=2)
    assert "none.mhd: expected" in result.stderr
    assert "Traceback" not in result.output
