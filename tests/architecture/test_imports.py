"""Rooms import only from lower floors, and each heavy library has one room; the contracts are in pyproject.toml."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

PLANTED = {
    "geometry/grid.py": ["lungpipe.volumes"],
    "volumes/__init__.py": ["lungpipe.services.provenance", "lungpipe.rendering.marks", "snakemake", "scipy"],
    "evaluation/__init__.py": ["torch", "SimpleITK", "matplotlib.pyplot"],
    "training/__init__.py": ["mlflow", "zarr", "monai"],
    "models/__init__.py": ["dask.array", "highdicom.seg", "cryptography"],
}
"""One import against every contract."""


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache", "--config", "pyproject.toml"]
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "COLUMNS": "200"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def verdicts(text: str) -> dict[str, str]:
    return {name.strip(): verdict for name, verdict in re.findall(r"^(.+) (KEPT|BROKEN)", text, re.MULTILINE)}


def contract_names(root: Path) -> set[str]:
    tool = tomllib.loads((root / "pyproject.toml").read_text())["tool"]
    return {contract["name"] for contract in tool["importlinter"]["contracts"]}


def test_every_contract_is_kept(root: Path) -> None:
    answer = lint_imports(root)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert verdicts(answer.stdout) == dict.fromkeys(contract_names(root), "KEPT")


def test_every_contract_notices_an_import_against_it(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "src" / "lungpipe", tmp_path / "src" / "lungpipe")
    shutil.copy(root / "pyproject.toml", tmp_path)
    for name, modules in PLANTED.items():
        path = tmp_path / "src" / "lungpipe" / name
        # inside a function: an import that waits until it is called is an import all the same
        late = "".join(f"\n\ndef _planted_{number}():\n    import {module}\n" for number, module in enumerate(modules))
        path.write_text(path.read_text() + late)
    answer = lint_imports(tmp_path)
    assert verdicts(answer.stdout) == dict.fromkeys(contract_names(root), "BROKEN"), answer.stdout + answer.stderr


def test_every_room_is_on_a_floor(root: Path) -> None:
    tool = tomllib.loads((root / "pyproject.toml").read_text())["tool"]
    floors = re.findall(r"\w+", " ".join(tool["importlinter"]["contracts"][0]["layers"]))
    rooms = {path.name for path in (root / "src" / "lungpipe").iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= set(floors)
    assert len(set(floors)) == len(floors)
