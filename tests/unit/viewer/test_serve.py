"""A served page: for this machine alone, at an address that cannot be guessed."""

from threading import Thread
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from lungpipe.viewer.serve import PageServer


@pytest.fixture
def server(tmp_path):
    (tmp_path / "page.html").write_text("a page")
    with PageServer(tmp_path / "page.html") as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_the_page_is_at_its_address_and_nowhere_else(server):
    with urlopen(server.url) as answer:  # noqa: S310 - an http address of this machine
        assert answer.read() == b"a page"
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
    root = f"http://127.0.0.1:{server.server_port}"
    for path in ("/", "/page.html", "/../page.html", server.path + "x"):
        with pytest.raises(HTTPError, match="404"):
            urlopen(root + path)  # noqa: S310 - an http address of this machine


def test_the_address_is_of_this_machine_and_new_each_time(server, tmp_path):
    assert server.server_address[0] == "127.0.0.1"
    with PageServer(tmp_path / "page.html") as other:
        assert other.path != server.path
        assert len(other.path) > 20


def test_a_port_that_is_taken_is_an_error(server, tmp_path):
    with pytest.raises(OSError, match="Address already in use"):
        PageServer(tmp_path / "page.html", server.server_port)
