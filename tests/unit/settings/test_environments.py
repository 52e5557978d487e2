"""Conda environment files from a small project."""

from pathlib import Path

import pytest
import yaml

from lungpipe.settings.environments import environment_texts, normalised, read_pins

PROJECT = """
[project]
dependencies = ["Zarr_S>=0.2", "torch==2.13.0", "loose>=1,<2"]
[project.optional-dependencies]
test = ["pytest>=9.0"]
slurm = ["cluster-plugin>=2"]
viz = ["vtk>=1"]
bundle = ["programs>=3"]
docs = ["unused>=1"]
notebooks = ["kernel>=1"]
"""


@pytest.fixture
def environments(tmp_path: Path) -> dict[str, list[str]]:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "constraints.txt").write_text("# pins\nzarr-s==0.2.3\ntorch==2.13.0\npytest==9.2.0  # tests\n\n")
    parsed = {name: yaml.safe_load(text) for name, text in environment_texts(tmp_path).items()}
    return {name: content["dependencies"][-1]["pip"] for name, content in parsed.items()}


def test_there_is_one_file_each_for_running_gpus_bundles_and_development(environments: dict[str, list[str]]) -> None:
    assert set(environments) == {"runtime.yaml", "gpu.yaml", "dev.yaml", "bundle.yaml"}


def test_dependencies_carry_their_pin_and_keep_their_range_where_there_is_none(
    environments: dict[str, list[str]],
) -> None:
    assert environments["gpu.yaml"] == [
        "--constraint ../constraints.txt",
        "loose>=1,<2",
        "torch==2.13.0",
        "Zarr_S==0.2.3",
        "--editable ..",
    ]


def test_only_the_gpu_environment_takes_the_cuda_build(environments: dict[str, list[str]]) -> None:
    cpu = {name for name, lines in environments.items() if any("whl/cpu" in line for line in lines)}
    assert cpu == {"runtime.yaml", "dev.yaml", "bundle.yaml"}
    assert all("torch==2.13.0" in lines for lines in environments.values())


def test_only_development_brings_all_extras(environments: dict[str, list[str]]) -> None:
    extras = set(environments["dev.yaml"]) - set(environments["runtime.yaml"])
    assert extras == {"pytest==9.2.0", "cluster-plugin>=2", "vtk>=1", "unused>=1", "programs>=3", "kernel>=1"}


def test_pins_are_found_however_a_name_is_spelt(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("Snakemake_Executor.Plugin==1.0\n")
    assert read_pins(tmp_path / "c.txt") == {"snakemake-executor-plugin": "1.0"}
    assert normalised("SimpleITK") == "simpleitk"
