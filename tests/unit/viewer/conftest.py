"""A headless browser, and a page of three balls open in it."""

from contextlib import contextmanager
from functools import partial

import pytest
from headless import open_browser, visit
from viewer_scenes import make_scene

from lungpipe.viewer.page import write_page


# not for the session: while a browser is open, tests of other packages cannot start an event loop
@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def ball_page(tmp_path_factory):
    """The file of a page with three balls."""
    path = tmp_path_factory.mktemp("page") / "viewer.html"
    write_page(make_scene(), path)
    return path


@contextmanager
def _opened(browser, address, size=(1200, 800), **options):
    with visit(browser, address, size, **options) as seen:
        seen.page.wait_for_selector("body[data-ready], body[data-failed]", timeout=60_000)
        assert seen.page.get_attribute("body", "data-failed") is None
        yield seen


@pytest.fixture
def open_page(browser):
    """Open a page and wait until its voxels are shown."""
    return partial(_opened, browser)


@pytest.fixture(scope="module")
def shared_page(browser, ball_page):
    with _opened(browser, ball_page) as seen:
        yield seen.page


RESTORE = """
for (const layer of ["lungs", "nodules"]) lungpipe.showLayer(layer, true);
Object.assign(lungpipe.state, { hasRings: true, hasCrosshair: true });
document.querySelector("[data-window=Lung]").click();
document.activeElement.blur();
lungpipe.setThreshold(0);
lungpipe.table.order = { key: "probability", isFalling: true };
lungpipe.table.sort();
lungpipe.setThreshold(0);
lungpipe.resetView();
lungpipe.activate(lungpipe.planes.views[0]);
lungpipe.select(lungpipe.candidates[0]);
"""


@pytest.fixture
def balls(shared_page):
    """A page with three balls as it is when it was opened; one page for a file of tests."""
    shared_page.evaluate(RESTORE)
    return shared_page
