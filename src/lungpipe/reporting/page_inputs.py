"""The content of the report page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lungpipe.evaluation.reference import COMMAND
from lungpipe.evaluation.result_tables import STUDY_FILES
from lungpipe.evaluation.whole_scans import read_whole_scans
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.reporting.other_studies import OtherStudy
from lungpipe.reporting.viewer_pages import read_listing
from lungpipe.tables import SERIES, check_digests, read_json, read_table


def check_inputs(paths: Mapping[str, str]) -> None:
    """Check the files of these names against the digests beside them: evaluation, charts, pictures, accounting.

    Raises:
        DigestError: a file that was edited since it was written; the message names the file.
        OSError: no such file.
    """
    check_digests(Path(paths["evaluation"]).parent, STUDY_FILES)
    for path in (Path(paths[name]) for name in ("charts", "pictures", "accounting")):
        check_digests(path.parent, [path.name])


@dataclass(frozen=True, slots=True)
class Origin:
    """How a study was made.

    `software` has versions and commit, `written` the time of the report, `machine` that of the report's job,
    `computed` what each job computed with, `jobs` the time and memory of every job (`read_benchmarks`), `command` the
    commands that make the study again, `tracking` the addresses of its runs in MLflow (`study`, `studies`, `trainings`,
    and `serve`: the command that shows a local store, or None); None where nothing was tracked.
    """

    software: Mapping[str, str]
    written: str = "at an unknown time"
    machine: Mapping[str, str] = field(default_factory=dict)
    computed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    jobs: pd.DataFrame = field(default_factory=pd.DataFrame)
    command: str = ""
    tracking: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class PageInputs:
    """The content of the page.

    `stored` is the evaluation, `study` the settings as plain data, `accounting` the table of prepared scans, `series`
    the table SERIES, `whole_scans` the table of whole scans beside crops, `charts` and `pictures` the content of
    charts.json and pictures.json, `command` the command that evaluates the submission again, `others` other studies of
    the dataset by name, `viewers` the scans that have a viewer page (rows of series.csv, from 1). The page names no
    patient and no series.
    """

    stored: StoredEvaluation
    study: Mapping[str, Any]
    accounting: pd.DataFrame
    series: pd.DataFrame
    whole_scans: pd.DataFrame
    charts: Sequence[Mapping[str, Any]]
    pictures: Mapping[str, Any]
    command: str
    origin: Origin
    others: Mapping[str, OtherStudy] = field(default_factory=dict)
    viewers: frozenset[int] = frozenset()

    @classmethod
    def read(
        cls, paths: Mapping[str, Any], study: Mapping[str, Any], origin: Origin, others: Mapping[str, OtherStudy]
    ) -> "PageInputs":
        """Read the files of these names: evaluation (its folder is read), accounting, series, charts, pictures.

        `viewers` is a list with the listing of the viewer pages, empty where a study has none.
        """
        evaluated = Path(paths["evaluation"]).parent
        charts, pictures = (read_json(Path(paths[name]), f"the {name} of a report") for name in ("charts", "pictures"))
        return cls(
            stored=StoredEvaluation.read(evaluated),
            study=study,
            accounting=pd.read_csv(paths["accounting"]),
            series=read_table(Path(paths["series"]), SERIES),
            whole_scans=read_whole_scans(evaluated / "whole_scans.csv"),
            charts=charts,
            pictures=pictures,
            command=(evaluated / COMMAND).read_text(encoding="utf-8"),
            origin=origin,
            others=others,
            viewers=frozenset().union(*(read_listing(Path(listing)) for listing in paths["viewers"])),
        )
