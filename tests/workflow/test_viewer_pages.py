"""Viewer pages of a finished study, and the report that links to them."""

import json
import re

import pytest


@pytest.mark.slow
def test_pages_are_written_and_the_report_is_renewed_with_links(copy):
    assert copy.snakemake("write_viewers").names == {"write_viewers"}
    folder = copy.recipe / "viewer"
    scans = json.loads((folder / "pages.json").read_text())["scans"]
    assert sorted(path.name for path in folder.glob("*.html")) == sorted(f"scan-{scan}.html" for scan in scans)
    assert copy.snakemake().names == {"write_report"}
    links = re.findall(
        r'href="(viewer/[^"#]+)#(-?[\d.]+,-?[\d.]+,-?[\d.]+)"', (copy.recipe / "report.html").read_text()
    )
    assert {page for page, _ in links} <= {f"viewer/scan-{scan}.html" for scan in scans}
    assert len(links) >= len(scans) > 0
    # nothing is left to do
    assert copy.plan().jobs == []
