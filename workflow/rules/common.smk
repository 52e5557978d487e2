"""The study that the config describes, checked before any work, and where its files are."""

import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from lungpipe.datasets.annotations import DatasetError
from lungpipe.datasets.raw import RawScans
from lungpipe.services.provenance import fingerprint
from lungpipe.settings import SettingsError, load_study
from lungpipe.volumes.prepare import unchanged_sources

try:
    STUDY = load_study(config, Path(workflow.basedir) / "recipes")
    RAW = RawScans.of(STUDY)
except (SettingsError, DatasetError) as error:
    raise WorkflowError(str(error)) from None

D = STUDY.dataset_dir.as_posix()
R = STUDY.recipe_dir.as_posix()
SUBSETS = list(range(STUDY.dataset.num_subsets))

# jobs reserve cores of what the user granted; on fewer real cores they take their share (services/job.py)
os.environ["LUNGPIPE_GRANTED_CORES"] = str(workflow.cores or 1)


def dump(*sections):
    """The settings that a rule reads, as its params: a change of any other section does not rerun it."""
    return {name: getattr(STUDY, name).model_dump(mode="json") for name in sections}


def raw_files(wildcards):
    """The raw scans of a subset; those whose content is known to be unchanged do not rerun anything."""
    subset = int(wildcards.subset)
    folder = Path(D) / "volumes" / f"subset{subset}"
    unchanged = {path.as_posix() for path in unchanged_sources(RAW.by_subset[subset], folder)}
    return [ancient(file) if file in unchanged else file for file in RAW.files(subset)]


def learning_subsets(wildcards):
    """The subsets that fold k may learn from: all but its test subset k."""
    return [subset for subset in SUBSETS if subset != int(wildcards.fold)]


def manifests(subsets):
    """The volume manifests of the given subsets."""
    return [f"{D}/volumes/subset{subset}/manifest.json" for subset in subsets]
