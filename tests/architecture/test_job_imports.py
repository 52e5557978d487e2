"""What each script of the workflow imports: a library that a job does without costs its start every time."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = (
    "SimpleITK",
    "cc3d",
    "dask",
    "distributed",
    "jinja2",
    "matplotlib",
    "mlflow",
    "monai",
    "pydantic",
    "pydicom",
    "rich",
    "safetensors",
    "scipy",
    "snakemake.api",
    "tensorstore",
    "torch",
    "zarr",
)
TABLES: frozenset[str] = frozenset()
SETTINGS = frozenset({"pydantic"})
READ = frozenset({"tensorstore"})
NETWORKS = SETTINGS | READ | {"torch", "safetensors"}
ALLOWED = {
    "account_scans": TABLES,
    "collect_ratings": TABLES,
    "collect_targets": TABLES,
    "check_subset": READ | {"cc3d"},
    "detect_candidates": NETWORKS,
    "draw_figures": READ | {"matplotlib"},
    "evaluate_study": SETTINGS,
    "import_whole_scans": SETTINGS | {"scipy"},
    "compare_measures": SETTINGS,
    "measure_nodules": READ,
    "mine_candidates": NETWORKS,
    "rate_nodules": NETWORKS,
    "mine_final_candidates": NETWORKS,
    "package_model": NETWORKS,
    "bundle_model": NETWORKS,
    "train_final_detector": NETWORKS,
    "train_final_scorer": NETWORKS,
    "keep_scores": TABLES,
    "prepare_subset": SETTINGS | READ | {"cc3d"},
    "score_candidates": NETWORKS,
    "select_candidates": TABLES,
    "study_malignancy": SETTINGS,
    "take_candidates": TABLES,
    "train_detector": NETWORKS,
    "train_scorer": NETWORKS,
    "write_viewers": READ | {"jinja2"},
    "write_phantom": SETTINGS | {"scipy"},
    "write_report": SETTINGS | {"jinja2"},
}
"""The watched libraries that each script may import; beside these, a job has numpy and pandas."""


def import_lines(script: Path) -> str:
    """The import statements of a script, as Snakemake's process runs them."""
    kinds = (ast.Import, ast.ImportFrom)
    return "\n".join(ast.unparse(node) for node in ast.parse(script.read_text()).body if isinstance(node, kinds))


def imported(lines: str) -> set[str]:
    """The watched libraries in a process that ran these lines."""
    code = f"{lines}\nimport json, sys\nprint(json.dumps([name for name in {WATCHED!r} if name in sys.modules]))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(answer.stdout))


def test_every_script_is_in_the_table(root: Path) -> None:
    assert {path.stem for path in (root / "workflow" / "scripts").glob("*.py")} == set(ALLOWED)


@pytest.mark.parametrize("name", ALLOWED)
def test_a_script_imports_only_what_its_job_needs(root: Path, name: str) -> None:
    lines = import_lines(root / "workflow" / "scripts" / f"{name}.py")
    assert imported(lines) - ALLOWED[name] == set()


def test_an_import_is_noticed() -> None:
    assert imported("import rich.console") == {"rich"}


def test_what_snakemake_puts_before_a_script_is_light() -> None:
    # the script's own objects are unpickled, for which Snakemake is imported in the job's process
    assert imported("import snakemake.iocontainers, snakemake.logging") == set()
