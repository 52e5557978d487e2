"""What leaves a results folder (tracking store, artifacts, models, pages) names no series and no patient."""

import csv
from pathlib import Path


def identifiers(raw: Path) -> set[str]:
    """The series UIDs and patients of a dataset."""
    with (raw / "series.csv").open(encoding="utf-8") as stream:
        patients = {row["patient_id"] for row in csv.DictReader(stream)}
    return patients | {header.stem for header in raw.glob("subset*/*.mhd")}


def named_in(files: list[Path], planted: set[str]) -> dict[str, list[str]]:
    """The files whose name or content has one of the identifiers."""
    found = {}
    for path in files:
        content = path.read_bytes()
        names = sorted(name for name in planted if name.encode() in content or name in path.name)
        if names:
            found[str(path)] = names
    return found


def leaving(results: Path) -> list[Path]:
    artifacts = [path for path in (results / "mlartifacts").rglob("*") if path.is_file()]
    pages = [*results.rglob("report.html"), *results.rglob("figures/*.*"), *results.rglob("*.safetensors")]
    return [*results.glob("mlflow.db*"), *artifacts, *pages]


def test_what_leaves_the_results_names_no_series_and_no_patient(finished):
    results, planted = finished.folder / "results", identifiers(finished.dataset / "raw")
    files = leaving(results)
    assert len(planted) >= 12
    assert {"mlflow.db", "report.html", "detector.safetensors", "froc.csv", "charts.json", "pictures.json"} <= {
        path.name for path in files
    }
    assert named_in(files, planted) == {}


def test_the_search_finds_what_is_there(finished):
    planted = identifiers(finished.dataset / "raw")
    listed = finished.recipe / "evaluation" / "patients.csv"
    assert named_in([listed], planted)
