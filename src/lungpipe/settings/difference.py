"""What two studies do differently: the settings that differ, by key."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lungpipe.settings.load import SettingsError

SETTINGS_FILE = "settings.yaml"
"""File in a study's folder with the settings that can change a result."""
NOTHING = "nothing"
_ASIDE = ("name", "compute")
"""Keys that differ between studies without changing a result."""
MAX_NAMED = 8
NO_DIFFERENCE = "no setting that changes a result"
_PLACES = (
    "dataset.root",
    "dataset.lidc_xml",
    "dataset.lidc_annotations",
    "dataset.whole_scan_tables",
    "preprocessing.scheduler_address",
    "results_dir",
    "tracking",
)
"""Settings of paths and servers, which change no result and are left out."""
_WHOLE_SCANS = "dataset.whole_scans"
"""A setting of series UIDs and paths: the number of its entries is kept."""
_WEIGHTS = "scorer.network.weights_path"
"""A setting of a file: the name of the file is kept."""


def portable_settings(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without paths, servers and series UIDs.

    The number of whole scans and the name of a file of weights are kept: both change results.
    """
    return _portable(study, "")


def read_settings(study_dir: Path) -> dict[str, Any] | None:
    """Return the settings that a study's report wrote into its folder, made portable; None if there are none.

    Raises:
        SettingsError: a file of another content; the message names the file.
    """
    path = study_dir / SETTINGS_FILE
    if not path.is_file():
        return None
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path}: expected the settings of a study in YAML, found {reason}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected the settings of a study, found {type(content).__name__}")
    return portable_settings(content)


def find_studies(dataset_dir: Path, aside: str, say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Return the settings of all reported studies of a dataset but one (`aside`), by name.

    A study with a damaged file of settings is left out; `say` is called with the reason.
    """
    found = {}
    for folder in sorted(path for path in dataset_dir.glob("*/") if path.name != aside):
        try:
            settings = read_settings(folder)
        except SettingsError as error:
            say(f"study {folder.name} is left out of the comparison: {error}")
            continue
        if settings is not None:
            found[folder.name] = settings
    return found


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return every key (`detector.training.learning_rate`) whose values differ, with our value and theirs.

    Values are compared as they are written in YAML, so that a tuple equals a list. A key that one of both does not
    have is `nothing` there. The study's name and what it was computed on are left out.
    """
    flat = [dict(_flatten({k: v for k, v in each.items() if k not in _ASIDE})) for each in (ours, theirs)]
    keys = [*flat[0], *(key for key in flat[1] if key not in flat[0])]
    pairs = {key: (flat[0].get(key, NOTHING), flat[1].get(key, NOTHING)) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def describe_differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Return the differences as text: `seed 7 (there 2016), ...`; many are cut, none are named as none."""
    found = differences(ours, theirs)
    named = [f"{key} {_text(own)} (there {_text(other)})" for key, (own, other) in found.items()]
    more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    return ", ".join(named[:MAX_NAMED]) + more if named else NO_DIFFERENCE


def list_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Return a line for every difference of two studies: `seed: 2016 in A, 7 in B`; one line if there is none."""
    found = differences(a, b)
    lines = [f"{key}: {_text(of_a)} in A, {_text(of_b)} in B" for key, (of_a, of_b) in found.items()]
    return lines or [f"A and B differ in {NO_DIFFERENCE}"]


def settings_text(study: Mapping[str, Any]) -> str:
    """Return the portable settings as YAML, the content of SETTINGS_FILE."""
    return yaml.safe_dump(portable_settings(study), sort_keys=False, allow_unicode=True)


def _portable(settings: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if name in _PLACES:
            continue
        if isinstance(value, Mapping):
            kept[key] = len(value) if name == _WHOLE_SCANS else _portable(value, f"{name}.")
        else:
            kept[key] = Path(value).name if name == _WEIGHTS and value else value
    return kept


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    return "null" if value is None else str(value)
