"""Words that say nothing, or that mean two things, name no file and no identifier."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

FORBIDDEN = frozenset({"coord", "gt", "helper", "img", "misc", "pos", "pred", "util"})
# built from parts, so that this file holds none of what it looks for
PLACES = re.compile(r"(?<![\w.~$}-])/(?:" + "|".join(("work", "tmp", "home", "root", "Users")) + r")/\w")
BINARY = frozenset({".png", ".npz", ".gz", ".raw", ".parquet", ".safetensors", ".dcm"})


def words(identifier: str) -> set[str]:
    """The words of a snake_case or CamelCase identifier, in lower case, and their singular."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier)
    lowered = {word.lower() for word in split.split("_") if word}
    return lowered | {word.removesuffix("s") for word in lowered if word != "pos"}


def given_names(tree: ast.AST) -> Iterator[str]:
    """The names that a file gives; names of other people's APIs are not its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


def bad_names(text: str) -> list[str]:
    return sorted({name for name in given_names(ast.parse(text)) if words(name) & FORBIDDEN})


def test_no_identifier_carries_a_forbidden_word(python_files: list[Path], root: Path) -> None:
    files = [*python_files, *(root / "tests").rglob("*.py"), *(root / "benchmarks").rglob("*.py")]
    found = {str(path.relative_to(root)): bad_names(path.read_text()) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


def test_no_file_or_folder_carries_a_forbidden_word(tracked: list[Path], root: Path) -> None:
    parts = {path: path.relative_to(root).with_suffix("").parts for path in tracked}
    assert [path for path, names in parts.items() if set().union(*map(words, names)) & FORBIDDEN] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pos = 1", ["pos"]),
        ("num_pos_voxels = 1", ["num_pos_voxels"]),
        ("class ImgReader: ...", ["ImgReader"]),
        ("def f(y_pred): ...", ["y_pred"]),
        ("self.gt = 1", ["gt"]),
        ("import numpy as misc", ["misc"]),
        ("for coord in x: ...", ["coord"]),
        ("position = predicted = posterior = grade = 1", []),
        ("f(pos=1); a.pred; x['coordX']", []),
    ],
)
def test_words_are_found_whole_and_only_where_a_name_is_given(text: str, expected: list[str]) -> None:
    assert bad_names(text) == expected


def test_nothing_prints(python_files: list[Path], root: Path) -> None:
    def prints(path: Path) -> bool:
        calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        return any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)

    assert [str(path.relative_to(root)) for path in python_files if prints(path)] == []


@pytest.fixture(scope="module")
def tracked(root: Path) -> list[Path]:
    """Every file of the checkout that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.skip("needs a git checkout")
    return [root / name for name in answer.stdout.split("\0") if name and (root / name).is_file()]


def test_no_file_names_a_place_of_one_machine(tracked: list[Path], root: Path) -> None:
    assert len(tracked) > 50
    texts = (path for path in tracked if path.suffix not in BINARY)
    found = {str(path.relative_to(root)): PLACES.findall(path.read_text(errors="replace")) for path in texts}
    assert {path: places for path, places in found.items() if places} == {}


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("see /" + "work/main", True),
        ("'/" + "tmp/x'", True),
        ("root: /" + "home/me/luna", True),
        ("https://example.org/home/page", False),
        ("../work/flow, results/tmp/x", False),
        ("${HOME}/tmp/x", False),
        ("workflow/rules", False),
    ],
)
def test_places_are_told_from_relative_paths_and_addresses(text: str, is_found: bool) -> None:
    assert bool(PLACES.search(text)) == is_found
