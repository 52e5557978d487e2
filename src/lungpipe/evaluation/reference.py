"""The tables that a submission was evaluated with, written beside it, so that the evaluation can be repeated."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lungpipe.evaluation.submission import read_findings, read_series_list, write_positions
from lungpipe.tables import CENTER_COLUMNS, check_digests, write_csv, write_text
from lungpipe.tables.digests import DIGESTS_FILE
from lungpipe.tables.errors import InputError

SUBMISSION = "submission.csv"
ANNOTATIONS = "annotations.csv"
EXCLUDED = "annotations_excluded.csv"
SERIES = "series.csv"
COMMAND = "command.txt"


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What marks are compared with: nodules, excluded findings, the UIDs of all scans; None where not given.

    Tables as `read_findings` returns them.
    """

    nodules: pd.DataFrame
    exclusions: pd.DataFrame | None
    series_uids: list[str] | None

    @classmethod
    def read(cls, annotations: Path, excluded: Path | None, series: Path | None) -> "Reference":
        """Read the files of an evaluation; raises InputError naming file, row and column."""
        return cls(
            read_findings(annotations),
            read_findings(excluded) if excluded else None,
            read_series_list(series) if series else None,
        )

    @classmethod
    def of_folder(cls, folder: Path) -> "Reference":
        """Read the tables that `write_reference` wrote into a folder."""
        return cls.read(folder / ANNOTATIONS, folder / EXCLUDED, folder / SERIES)


def write_reference(series: pd.DataFrame, nodules: pd.DataFrame, exclusions: pd.DataFrame, folder: Path) -> None:
    """Write scans (seriesuid, subset), nodules with their readers' ratings and excluded findings in LUNA16's columns.

    Args:
        series: contract SERIES, the evaluated scans in their order.
        nodules: contract NODULES, of these scans.
        exclusions: contract EXCLUSIONS, of these scans.
        folder: the folder of the evaluation.
    """
    listed = series[["series_uid", "subset"]].rename(columns={"series_uid": "seriesuid"})
    write_csv(listed, folder / SERIES)
    columns = ["series_uid", *CENTER_COLUMNS, "diameter_mm"]
    write_positions(nodules[[*columns, "malignancy_ratings"]], folder / ANNOTATIONS)
    write_positions(exclusions[columns], folder / EXCLUDED)


def write_command(folder: Path, *, num_bootstraps: int, seed: int) -> None:
    """Write the command that evaluates the folder's submission again, to the same bytes of froc.csv and froc_band.csv.

    Paths in the command are those by which the folder is given here.
    """
    words = ["lungpipe", "evaluate", str(folder / SUBMISSION), "--annotations", str(folder / ANNOTATIONS)]
    words += ["--excluded", str(folder / EXCLUDED), "--series", str(folder / SERIES), "--subsets", str(folder / SERIES)]
    words += ["--bootstraps", str(num_bootstraps), "--seed", str(seed), "--out", str(folder / "again")]
    write_text(folder / COMMAND, shlex.join(words) + "\n")


def find_evaluation(path: Path) -> Path:
    """Return the folder of an evaluation: `path` itself, or `evaluation` in the folder of a study.

    Raises:
        InputError: neither of them has a submission with its tables.
        DigestError: a file of the folder that was edited since a study wrote it.
    """
    needed = (SUBMISSION, ANNOTATIONS, EXCLUDED, SERIES)
    for folder in (path, path / "evaluation"):
        if all((folder / name).is_file() for name in needed):
            # an evaluation that no study wrote, or an early one, has no digests
            if (folder / DIGESTS_FILE).is_file():
                check_digests(folder, needed)
            return folder
    raise InputError(f"{path}: expected the folder of a study or its evaluation, with {SUBMISSION} and {SERIES} in it")


def require_same(folder_a: Path, folder_b: Path) -> None:
    """Refuse two evaluations of different scans, nodules or excluded findings.

    Raises:
        InputError: naming the two files that differ.
    """
    for name in (SERIES, ANNOTATIONS, EXCLUDED):
        if (folder_a / name).read_bytes() != (folder_b / name).read_bytes():
            found = f"{folder_a / name} and {folder_b / name} differ"
            raise InputError(f"comparison: expected evaluations of the same scans and nodules, found that {found}")
