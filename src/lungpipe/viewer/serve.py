"""Serve one page to browsers on this machine, until the server is stopped."""

import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copyfileobj

LOOPBACK = "127.0.0.1"


class PageServer(ThreadingHTTPServer):
    """Serves one file at `url`, on the loopback address alone.

    The path of `url` is random, so that other users of the machine do not see the scan; any other path is not found.
    """

    daemon_threads = True

    def __init__(self, page: Path, port: int = 0) -> None:
        """Bind to a port; 0 takes a free one. Raises OSError for a port that is taken."""
        super().__init__((LOOPBACK, port), _Handler)
        self.page = Path(page)
        self.path = f"/{secrets.token_urlsafe(16)}/"

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{LOOPBACK}:{self.server_port}{self.path}"


class _Handler(BaseHTTPRequestHandler):
    server: PageServer

    def do_GET(self) -> None:
        """Answer with the page, or with 404 for any other path."""
        if not secrets.compare_digest(self.path.encode(), self.server.path.encode()):
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(self.server.page.stat().st_size))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        with self.server.page.open("rb") as stream:
            copyfileobj(stream, self.wfile)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives
        """Say nothing about requests."""
