"""Whether a tracking server answers."""

import base64
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.server import check_server

RIGHT = "Basic " + base64.b64encode(b"ann:right").decode()


class Guarded(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.headers.get("Authorization") in (RIGHT, "Bearer token") else 401)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    server = HTTPServer(("127.0.0.1", 0), Guarded)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("variables", "is_right"),
    [
        ({"USERNAME": "ann", "PASSWORD": "right"}, True),
        ({"TOKEN": "token"}, True),
        ({"USERNAME": "ann", "PASSWORD": "wrong"}, False),
        ({}, False),
    ],
)
def test_the_user_is_asked_for_at_the_start(address, monkeypatch, variables, is_right):
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    if is_right:
        check_server(address)
        return
    with pytest.raises(
        TrackingError, match=r"127\.0\.0\.1:\d+: expected MLFLOW_TRACKING_USERNAME.* found 401"
    ) as caught:
        check_server(address)
    assert "wrong" not in str(caught.value)


def test_a_port_without_a_server_is_refused():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(TrackingError, match=f"http://127.0.0.1:{port}: expected a tracking server, found .*refused"):
        check_server(f"http://127.0.0.1:{port}")
