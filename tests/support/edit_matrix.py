"""Edits of code, settings and data, and the jobs that rerun after each: the table of a test and of a page of docs.

`python tests/support/edit_matrix.py` writes the page.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "workflow" / "edits.yaml"
PAGE = ROOT / "docs" / "reruns.md"

INTRODUCTION = """# What reruns what

For anyone who is about to change code, a setting or a file of a finished study. After this page you know which jobs
the next `snakemake` runs again.

*Reruns first* names the jobs that rerun because of the edit. All jobs that need their results follow, up to the report.
*Does again* says whether volumes are prepared and networks are trained again. A job that prepares a subset keeps every
volume whose raw files, settings and code are unchanged.

Snakemake plans all jobs before it runs any. If a preparation job is planned, all training is planned too, although the
job may then keep every volume, for instance after an edit of the script of that job. To avoid that training, run the
preparation alone, and then the rest:

    snakemake --cores 8 results/<dataset>/volumes/accounting.csv
    snakemake --cores 8

A missing file of a study, of a job that failed or of a folder that was deleted, is made again with all that needs it.
Results of an earlier run behind the missing file change nothing.

`tests/workflow/test_edit_matrix.py` makes every edit of this page in a finished study and compares Snakemake's plan
with the table in `tests/workflow/edits.yaml`. [Decision 9](decisions/0009-fingerprints.md) describes how code is
followed.
"""


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: what it is, where it is made, and what it reruns; see the head of `edits.yaml`."""

    area: str
    what: str
    file: str = ""
    change: tuple[str, str] = ("", "")
    settings: str | None = None
    data: str = ""
    reruns: tuple[str, ...] = ()
    repeats: str = "nothing"

    def apply(self, folder: Path) -> None:
        """Make an edit of code or data in the study's folder."""
        if self.data:
            DATA[self.data](folder / "results" / "ci")
        if self.file:
            file = self.path_in(folder)
            text, (old, new) = file.read_text(), self.change
            assert text.count(old) == 1, f"{self.file}: expected {old!r} once, found it {text.count(old)} times"
            file.write_text(text.replace(old, new))

    def path_in(self, folder: Path) -> Path:
        """Return the file that an edit of code changes, in a checkout."""
        is_in_package = not self.file.startswith(("workflow/", "recipes/"))
        return folder / (f"src/lungpipe/{self.file}" if is_in_package else self.file)


def read_edits() -> list[Edit]:
    """Return the table."""
    areas = yaml.safe_load(TABLE.read_text())
    return [
        Edit(area, **{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})
        for area, rows in areas.items()
        for row in rows
    ]


def write_page() -> str:
    """Return the page of docs that shows the table."""
    edits = read_edits()
    lines = [INTRODUCTION]
    for area in dict.fromkeys(edit.area for edit in edits):
        lines += [f"## {area.capitalize()}", "", "| edit | reruns first | does again |", "|---|---|---|"]
        for edit in edits:
            if edit.area == area:
                jobs = ", ".join(f"`{job}`" for job in edit.reruns) or "nothing"
                lines.append(f"| {edit.what} | {jobs} | {'' if edit.repeats == 'nothing' else edit.repeats} |")
        lines.append("")
    return "\n".join(lines)


def change_voxels(raw: Path) -> None:
    """Add 200 HU to a few voxels in the middle; the format stays as it is."""
    content = bytearray(raw.read_bytes())
    middle = len(content) // 4 * 2
    for place in range(middle, middle + 200, 2):
        value = int.from_bytes(content[place : place + 2], "little", signed=True)
        content[place : place + 2] = (value + 200).to_bytes(2, "little", signed=True)
    raw.write_bytes(content)


def _scan(dataset: Path) -> Path:
    return sorted((dataset / "raw" / "subset2").glob("*.raw"))[0]


def _change_reference(dataset: Path) -> None:
    (dataset / "raw" / "seg-lungs-LUNA16" / _scan(dataset).with_suffix(".zraw").name).write_bytes(b"no labels")


def _change_ratings(dataset: Path) -> None:
    path = dataset / "raw" / "nodule_ratings.csv"
    path.write_text(path.read_text().replace("5", "4"))


DATA: dict[str, Callable[[Path], None]] = {
    "touch_scan": lambda dataset: _scan(dataset).touch(),
    "change_scan": lambda dataset: change_voxels(_scan(dataset)),
    "change_reference": _change_reference,
    "change_ratings": _change_ratings,
    "remove_volumes": lambda dataset: shutil.rmtree(dataset / "volumes" / "subset2"),
}
"""Edits of the files of the smallest study's dataset."""


if __name__ == "__main__":
    PAGE.write_text(write_page())
