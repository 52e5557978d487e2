"""The page in a browser: the script is allowed by the page's own policy; sorting and searching work."""

import json
import re
import shutil
import subprocess

import pytest
from headless import open_browser, visit

from lungpipe.reporting.page import render_page
from lungpipe.reporting.page_inputs import PageInputs
from lungpipe.reporting.patient_table import HEADINGS

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")


@pytest.fixture
def html(page_parts, figure_folder):
    drawn = {name: json.loads((figure_folder / f"{name}.json").read_text()) for name in ("charts", "pictures")}
    return render_page(PageInputs(**{**page_parts, **drawn}))


def dump(html, tmp_path, actions=None):
    """The page's HTML after its script, and after `actions` in a copy that allows other scripts."""
    if actions is not None:
        html = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", html)
        html = html.replace("</body>", f"<script>{actions}</script></body>")
    (tmp_path / "page.html").write_text(html)
    command = [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'browser'}", f"file://{tmp_path / 'page.html'}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=240).stdout


def patients(dom):
    """The numbers of the patients in the table: all in their order, and those that are shown."""
    [body] = re.findall(r'id="patients-table".*?<tbody>(.*?)</tbody>', dom, re.DOTALL)
    rows = re.findall(r'<tr( hidden="")?><th scope="row">(?:<a [^>]*>)?(\d+)', body)
    return [number for _, number in rows], [number for hidden, number in rows if not hidden]


def test_the_pages_own_script_runs_and_shows_the_search(html, tmp_path):
    assert re.search(r'class="search"[^>]* hidden', html)
    dom = dump(html, tmp_path)
    assert not re.search(r'class="search"[^>]* hidden', dom)
    assert "3 of 3 rows" in dom
    assert patients(dom) == (["1", "2", "3"], ["1", "2", "3"])


def test_pictures_are_printed(html, tmp_path):
    (tmp_path / "page.html").write_text(html)
    with open_browser() as browser, visit(browser, tmp_path / "page.html") as seen:
        num_pictures = seen.page.evaluate("new Set([...document.images].map(image => image.src)).size")
        printed = seen.page.pdf(format="A4")
    assert num_pictures
    # pictures below the window are not loaded before a page is printed if they are lazy
    assert printed.count(b"/Subtype /Image") >= num_pictures


def test_a_heading_sorts_up_and_down(html, tmp_path):
    column = HEADINGS.index("Malignancy")
    click = f"document.querySelectorAll('#patients-table thead button')[{column}].click();"
    # 0.855, 0.280, and no candidates: 0
    assert patients(dump(html, tmp_path, click))[0] == ["3", "2", "1"]
    dom = dump(html, tmp_path, click * 2)
    assert patients(dom)[0] == ["1", "2", "3"]
    assert len(re.findall(r'<th [^>]*aria-sort="descending"', dom)) == 1


def test_the_search_keeps_rows_with_all_words(html, tmp_path):
    find = (
        "const box = document.querySelector('.search input'); box.value = '{}'; box.dispatchEvent(new Event('input'));"
    )
    dom = dump(html, tmp_path, find.format("BENIGN 6"))
    assert patients(dom) == (["1", "2", "3"], ["2"])
    assert "1 of 3 rows" in dom
