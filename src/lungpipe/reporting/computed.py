"""What the jobs of a study computed with: device, precision, threads, instruction set and versions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lungpipe.reporting.page_tables import Table
from lungpipe.tables import read_json_object
from lungpipe.tables.errors import InputError

FACTS = ("device", "precision", "threads", "instructions")


def read_computed(logs_dir: Path, ending: str) -> dict[str, Mapping[str, Any]]:
    """Return what each job noted beside its log (`<rule>/fold<k><ending>`, or `<rule><ending>`), by `rule fold<k>`.

    Raises:
        InputError: a note of another content; the message names the file.
    """
    paths = {path.relative_to(logs_dir): path for path in sorted(logs_dir.rglob(f"*{ending}"))}
    return {
        " ".join([*place.parts[:-1], place.name.removesuffix(ending)]): _read_facts(path)
        for place, path in paths.items()
    }


def _read_facts(path: Path) -> dict[str, Any]:
    facts = read_json_object(path, "the facts of a job")
    versions = facts.get("versions", {})
    if not isinstance(versions, dict) or not all(isinstance(version, str) for version in versions.values()):
        raise InputError(f"{path}: expected versions of libraries as texts, found {versions!r:.40}")
    return facts


def computed_table(computed: Mapping[str, Mapping[str, Any]]) -> Table | None:
    """Return the jobs that computed with the same hardware in one row; None where no job noted anything."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for job, facts in computed.items():
        groups[tuple(str(facts.get(name, "unknown")) for name in FACTS)].append(job)
    rows = tuple((_jobs(jobs), *facts) for facts, jobs in groups.items())
    return Table("Computed with", ("Jobs", "Device", "Precision", "Threads", "Instruction set"), rows) if rows else None


def other_versions(computed: Mapping[str, Mapping[str, Any]], ours: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of libraries that jobs used and that differ from those of the report's own job."""
    found: dict[str, set[str]] = defaultdict(set)
    for facts in computed.values():
        for name, version in facts.get("versions", {}).items():
            found[name].add(version)
    return {f"{name} in jobs": ", ".join(sorted(had)) for name, had in found.items() if had != {ours.get(name)}}


def _jobs(jobs: Sequence[str]) -> str:
    """Return jobs by rule: `train_detector (fold0, fold3), train_final_detector`."""
    places: dict[str, list[str]] = defaultdict(list)
    for job in jobs:
        rule, *place = job.split(" ")
        places[rule] += place
    return ", ".join(f"{rule} ({', '.join(folds)})" if folds else rule for rule, folds in places.items())
