"""The commands that make a study again."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lungpipe.settings.difference import portable_settings

UNKNOWN = "unknown"


def study_command(commit: str, config_files: Sequence[str], config: Mapping[str, Any]) -> str:
    """Return the lines for a shell that check out a commit and run Snakemake with the same settings.

    `commit` is that of `git_commit`; a checkout with changes is named as such. `config_files` and `config` are those
    of Snakemake's command line; paths, servers and whole scans (series UIDs) in `config` are left out.
    """
    lines = []
    if commit != UNKNOWN:
        name, _, is_dirty = commit.partition("+")
        lines.append(f"git checkout {name}" + ("    # and changes that were not committed" if is_dirty else ""))
    words = ["snakemake", "--cores", "8"]
    if config_files:
        words += ["--configfile", *config_files]
    given = [f"{key}={_value(value)}" for key, value in _shown(config).items()]
    if given:
        words += ["--config", *given]
    return "\n".join([*lines, shlex.join(words)]) + "\n"


def shown_path(path: Path, folder: Path) -> str:
    """Return a path below `folder` relative to it, and the name of any other path: pages hold no folders."""
    path, folder = Path(path).absolute(), Path(folder).absolute()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _shown(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a page may show; a section of which nothing is left is left out."""
    kept = portable_settings(config)
    if isinstance(dataset := kept.get("dataset"), dict):
        dataset.pop("whole_scans", None)
    return {key: value for key, value in kept.items() if value != {}}


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
