"""Names of the viewer pages beside a report, and the list of those that were written.

A page is named by the row of its scan in evaluation/series.csv, from 1 below the headings, and so by no identifier.
"""

import json
from pathlib import Path

FOLDER = "viewer"
"""The folder of a study beside its report."""
LISTING = "pages.json"
"""File in that folder: the rows of the scans that have a page."""


def page_name(scan: int) -> str:
    """Return the file name of a scan's page."""
    return f"scan-{scan}.html"


def read_listing(path: Path) -> frozenset[int]:
    """Return the rows of the scans that have a page beside the listing."""
    scans = json.loads(Path(path).read_text(encoding="utf-8"))["scans"]
    return frozenset(scan for scan in map(int, scans) if (Path(path).parent / page_name(scan)).is_file())
