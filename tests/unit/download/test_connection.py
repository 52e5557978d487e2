"""Which addresses are opened, also behind redirects."""

import pytest

from lungpipe.download.connection import FetchError, check_url, open_url
from lungpipe.download.transfer import RemoteFile, download


@pytest.mark.parametrize(
    "url",
    ["https://zenodo.org/api/records", "http://127.0.0.1:8000/x", "http://localhost/x", "http://[::1]:80/x"],
)
def test_addresses_that_are_opened(url):
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://zenodo.org/api/records",
        "http://127.0.0.1.example.org/x",
        "http://localhost.example.org/x",
        "http://0.0.0.0/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "zenodo.org/api",
        "https:///x",
        "",
    ],
)
def test_addresses_that_are_refused(url):
    with pytest.raises(FetchError, match="expected an https address"):
        open_url(url)


def test_a_client_names_itself_and_asks_for_plain_bytes(server, monkeypatch):
    heard = {}
    original = server._server.RequestHandlerClass.do_GET

    def listen(handler):
        heard.update(handler.headers.items())
        original(handler)

    monkeypatch.setattr(server._server.RequestHandlerClass, "do_GET", listen)
    open_url(f"{server.source}/3723295").close()
    assert heard["User-Agent"].startswith("lungpipe/")
    assert heard["Accept-Encoding"] == "identity"


def test_redirects_are_followed_on_this_machine_and_refused_to_plain_http(server, tmp_path, policy, watch):
    content = server.files["3723295"]["annotations.csv"]
    base = f"{server.root}/api/records/3723295/files"
    moved = {"Location": f"{base}/annotations.csv/content", "Content-Length": "0"}
    server.faults["sampleSubmission.csv"] = [("status", 302, moved)]
    with open_url(f"{base}/sampleSubmission.csv/content") as response:
        assert response.read() == content
    server.faults["sampleSubmission.csv"] = [("status", 302, {"Location": "http://example.org/x"})]
    remote = RemoteFile("x", f"{base}/sampleSubmission.csv/content", 3, "0" * 32)
    with pytest.raises(FetchError, match=r"http://example\.org/x: expected an https address, found http"):
        download(remote, tmp_path / "x", policy, watch)
    server.faults["sampleSubmission.csv"] = [("status", 302, {"Location": "ftp://127.0.0.1/x"})]
    with pytest.raises(FetchError, match=r"ftp://127\.0\.0\.1/x: expected an https address, found ftp"):
        download(remote, tmp_path / "x", policy, watch)
    assert len(server.asked("sampleSubmission.csv")) == 3


def test_this_machine_is_reached_without_the_proxy(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with open_url(f"{server.source}/3723295") as response:
        assert response.status == 200
