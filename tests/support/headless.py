"""Pages in a headless Chromium without GPU, without network, and with everything noted that the page asks for."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, chromium-browser or google-chrome")
SOFTWARE = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox")
"""WebGL by the processor."""


@dataclass
class Visit:
    """An open page; its requests, and its errors and warnings on the console."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def note(self, kind: str, text: str) -> None:
        """Keep a message of the console that a user should not see."""
        if kind in ("error", "warning"):
            self.complaints.append(text)


@contextmanager
def open_browser() -> Iterator[Any]:
    """Yield a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SOFTWARE))
        yield browser
        browser.close()


@contextmanager
def visit(browser: Any, address: Path | str, size: tuple[int, int] = (1200, 800), **options: Any) -> Iterator[Visit]:
    """Open a file or an address in a window of a size (width, height)."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    seen = Visit(context.new_page())
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.on("console", lambda message: seen.note(message.type, message.text))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.goto(address.as_uri() if isinstance(address, Path) else address)
    yield seen
    context.close()
