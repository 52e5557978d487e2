"""Names of the viewer pages beside a report, and the list of those that were written.

A page is named by the row of its scan in evaluation/series.csv, from 1 below the headings, and so by no identifier.
"""

from pathlib import Path

from lungpipe.tables import read_json_object
from lungpipe.tables.errors import InputError

FOLDER = "viewer"
"""The folder of a study beside its report."""
LISTING = "pages.json"
"""File in that folder: the rows of the scans that have a page."""


ANY_PAGE = "scan-*.html"
"""Pattern of the file names of all pages in that folder."""


def page_name(scan: int) -> str:
    """Return the file name of a scan's page."""
    return ANY_PAGE.replace("*", str(scan))


def read_listing(path: Path) -> frozenset[int]:
    """Return the rows of the scans that have a page beside the listing.

    Raises:
        InputError: a file of another content; the message names the file.
    """
    scans = read_json_object(path, "the scans of viewer pages").get("scans")
    if not isinstance(scans, list) or not all(isinstance(scan, int) for scan in scans):
        raise InputError(f"{path}: expected a list of whole numbers for scans, found {str(scans)[:40]}")
    return frozenset(scan for scan in scans if (Path(path).parent / page_name(scan)).is_file())
