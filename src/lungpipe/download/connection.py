"""Open network connections: https only (http for this machine alone), also after redirects."""

import http.client
import ipaddress
import urllib.request
from importlib.metadata import version
from urllib.parse import urlsplit

ZENODO_RECORDS = "https://zenodo.org/api/records"
TIMEOUT_S = 60.0
"""silence of the server after which a connection counts as lost"""


class FetchError(RuntimeError):
    """A download that cannot be completed; the message names the file, what was expected and what was found."""


def check_url(url: str) -> str:
    """Return `url` if it may be opened: https, or http to a loopback address; raises FetchError otherwise."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return url
    raise FetchError(f"{url}: expected an https address, found {parts.scheme or 'no scheme'}")


def open_url(url: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
    """Open `url` and return the response; redirects are followed to addresses that `check_url` allows.

    Raises:
        FetchError: an address that is not allowed.
        OSError, http.client.HTTPException: as urllib does (HTTPError for a status of 400 and above).
    """
    # Zenodo refuses clients without a name
    named = {"User-Agent": f"lungpipe/{version('lungpipe')}", "Accept-Encoding": "identity", **(headers or {})}
    request = urllib.request.Request(check_url(url), headers=named)  # noqa: S310 - the scheme is checked
    handlers: list[urllib.request.BaseHandler] = [_Checked()]
    if _is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    return opener.open(request, timeout=TIMEOUT_S)


class _Checked(urllib.request.BaseHandler):
    """Checks every request before it is sent, also requests after redirects."""

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        """Return the request; raises FetchError for an address that is not allowed."""
        check_url(request.full_url)
        return request

    https_request = ftp_request = http_request


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
