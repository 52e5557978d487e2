"""Time and memory of every stage, from the benchmark files that Snakemake writes for each job."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from lungpipe.reporting.page_tables import Table
from lungpipe.tables.errors import InputError

HEADINGS = ("Stage", "Jobs", "Time of all jobs", "Longest job", "CPU time", "Largest memory")
NOT_MEASURED = "not measured"


def read_benchmarks(folders: Iterable[Path], aside: str = "") -> pd.DataFrame:
    """Return one row per job (stage, seconds, cpu_seconds, mib) of `<folder>/<stage>.tsv` and `<folder>/<stage>/*.tsv`.

    `aside` is the stage that is left out: the job that reads the files has no benchmark yet. A missing value is NaN:
    Snakemake measures no memory of a very short job.

    Raises:
        InputError: a file that is no benchmark.
    """
    jobs = []
    for folder in folders:
        for path in sorted(folder.rglob("*.tsv")):
            stage = path.relative_to(folder).parts[0].removesuffix(".tsv")
            if stage != aside:
                jobs.append(_read_job(path).assign(stage=stage))
    columns = ["stage", "seconds", "cpu_seconds", "mib"]
    return pd.concat(jobs, ignore_index=True)[columns] if jobs else pd.DataFrame(columns=columns)


def stages_table(jobs: pd.DataFrame) -> Table | None:
    """Return the stages, the longest first, with the sum of all in the last row; None without jobs."""
    if jobs.empty:
        return None
    groups = [(str(name), rows) for name, rows in jobs.groupby("stage")]
    ranked = sorted(groups, key=lambda group: (-group[1]["seconds"].sum(), group[0]))
    rows = [_row(name, group) for name, group in ranked]
    return Table(f"Time and memory by stage ({len(jobs)} jobs)", HEADINGS, (*rows, _row("all stages", jobs)))


def duration(seconds: float) -> str:
    """Return a time as text: `0.4 s`, `75 s`, `12 min 5 s`, `3 h 20 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _read_job(path: Path) -> pd.DataFrame:
    names = {"seconds": "s", "cpu_seconds": "cpu_time", "mib": "max_rss"}
    try:
        table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        return pd.DataFrame({name: table[column].astype(float) for name, column in names.items()})
    except (LookupError, TypeError, ValueError) as error:
        expected = f"Snakemake's benchmark with {', '.join(names.values())}"
        raise InputError(f"{path}: expected {expected}, found {error}; remove the file") from None


def _row(name: str, jobs: pd.DataFrame) -> tuple[str, ...]:
    memory, cpu = jobs["mib"].max(), jobs["cpu_seconds"].sum(min_count=1)
    return (
        name,
        str(len(jobs)),
        duration(float(jobs["seconds"].sum())),
        duration(float(jobs["seconds"].max())),
        NOT_MEASURED if pd.isna(cpu) else duration(float(cpu)),
        NOT_MEASURED if pd.isna(memory) else f"{float(memory) / 1024:.2f} GiB",
    )
