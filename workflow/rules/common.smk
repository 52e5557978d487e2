"""The validated study, the paths of its files, and functions for inputs and params of rules."""

from math import ceil
from pathlib import Path

from snakemake.exceptions import WorkflowError

from lungpipe.candidates.of_study import require_candidates_of
from lungpipe.datasets.annotations import DatasetError, find_candidates
from lungpipe.datasets.read import DICOM, METAIMAGE, NIFTI, ZIPPED
from lungpipe.datasets.raw import RawScans
from lungpipe.services.commands import shown_path
from lungpipe.services.job import grant_cores, threads_of_folds
from lungpipe.services.provenance import fingerprint, script_fingerprint
from lungpipe.settings import SettingsError, load_study, weights_files
from lungpipe.settings.command_line import refuse_targets
from lungpipe.preparation.memory import list_refused
from lungpipe.preparation.raw_files import unchanged_files

try:
    STUDY = load_study(config, Path(workflow.basedir) / "recipes")
    # whether the scorer's network sees the mask of the fold's detector
    SEES_MASKS = STUDY.scorer.kind == "trained" and STUDY.scorer.network.kind == "masked_rating_net"
    RAW = RawScans.of(STUDY)
    HAS_MASKS = STUDY.detector.kind == "trained" and STUDY.detector.sampling.mask == "annotated"
    if HAS_MASKS:
        RAW.require_masks()
    if STUDY.candidates_dir:
        require_candidates_of(STUDY.candidates_dir, STUDY.folds, has_detector=SEES_MASKS)
    elif STUDY.detector.kind == "given":
        RAW.require_candidates()
    WEIGHTS = weights_files(STUDY)
except (SettingsError, DatasetError) as error:
    raise WorkflowError(str(error)) from None

D = STUDY.dataset_dir.as_posix()
R = STUDY.study_dir.as_posix()
# the model of all series, and its files
MODEL_FOLDER = f"{R}/final/{STUDY.model.name}"
MODEL_FILES = ["MODEL_CARD.md"] + [
    f"{role}.safetensors"
    for role in ("detector", "scorer")
    if getattr(STUDY, role).kind == "trained"
]
SUBSETS = list(range(STUDY.dataset.num_subsets))
# GPUs of a network job, for a cluster and for `--resources gpu=1` on one machine
GPUS = 0 if STUDY.compute.device == "cpu" else 1

# folds share the granted cores; with a limit of GPUs the folds wait for each other anyway
FOLD_CORES = (STUDY.compute.num_threads,) * len(STUDY.folds)
if workflow.resource_settings.cores and "gpu" not in workflow.global_resources:
    FOLD_CORES = threads_of_folds(
        len(STUDY.folds), workflow.resource_settings.cores, STUDY.compute.num_threads
    )

# settings of the preprocessing that change no volume: machines, memory, and the handling of failures
SURROUNDINGS = {"is_failure_fatal", "scheduler_address", "worker_memory_gib"}
WORKER_MIB = ceil(1024 * STUDY.preprocessing.worker_memory_gib)

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
NOTEBOOKS = Path(workflow.basedir) / "workflow" / "notebooks"
# code that spreads work over threads or a cluster, and changes no result
WORKERS = "lungpipe.preparation.workers"
# puts finished files in their place and names errors of the disk; changes no volume
PLACING = ["lungpipe.tables.atomic:naming", "lungpipe.volumes.place"]
# lists what is up to date, spreads the rest and counts; changes no volume. Snakemake plans all training behind a planned
# preparation, although every volume may then be kept
ARRANGING = [
    "lungpipe.preparation.prepare",
    "lungpipe.preparation.raw_files",
    "lungpipe.preparation.up_to_date",
]
# what else the outputs of a preparation consist of
FAILURE_TABLE = "lungpipe.tables:FAILURES"
MANIFEST = "lungpipe.volumes.manifest:write_manifest"
# changes no volume; which scans are refused is a param, see `refused_scans`
MEMORY = "lungpipe.preparation.memory"

# settings of a network that few studies name, and that all others leave out of their fingerprints
MASKED_NETWORK = "lungpipe.settings.recipe.masked_rating_net"

# jobs reserve granted cores; if there are fewer real cores, jobs use their share
grant_cores(workflow.resource_settings.cores)


def dump(*sections):
    """The given sections of the settings as params: a change of another section does not rerun the job."""
    return {name: getattr(STUDY, name).model_dump(mode="json") for name in sections}


def code_of(script, *choices, aside=()):
    """The fingerprint of a workflow script: of all code that it can run, and of the code that settings name."""
    return script_fingerprint(SCRIPTS / f"{script}.py", *choices, aside=[*aside, *unnamed()])


def notebook_code(name):
    """The fingerprint of a notebook of the workflow: of its code cells, and of all code that they can run."""
    return script_fingerprint(NOTEBOOKS / f"{name}.ipynb", aside=unnamed())


def unnamed():
    """Settings of networks that the study does not name; they count for no job."""
    return [] if SEES_MASKS else [MASKED_NETWORK]


def notebook_names():
    """The notebooks that fit the study; the demo needs a detector and a scorer that the study trains."""
    is_trained = STUDY.detector.kind == STUDY.scorer.kind == "trained"
    return ["demo", "model_evaluation"] if is_trained else ["model_evaluation"]


def fold_threads(wildcards):
    """The cores that a job of a fold reserves."""
    return dict(zip(STUDY.folds, FOLD_CORES, strict=True)).get(int(wildcards.fold), 1)


def learned(part):
    """The settings that a part is trained with; `inference` is left out, since it retrains nothing."""
    return part.model_dump(mode="json", exclude={"inference"})


def mask_networks():
    """The settings of the detector's network whose mask the scorer sees; none for a scorer without masks."""
    return [STUDY.scorer.network.detector] if SEES_MASKS else []


def first_weights(wildcards):
    """The file of weights from which the training of a scorer starts, as a list: for a network that sees masks the
    detector of the same fold, or of all series; empty for a network that is trained from scratch.
    """
    if not SEES_MASKS:
        return WEIGHTS
    folder = "final" if wildcards.get("fold") is None else f"fold{wildcards.fold}"
    study = R if STUDY.candidates_dir is None else STUDY.candidates_dir.as_posix()
    return [f"{study}/{folder}/detector.safetensors"]


def learned_by_scorer(wildcards):
    """The settings that a scorer is trained with, and the file of the fold's detector where the scorer sees masks."""
    settings = learned(STUDY.scorer)
    if SEES_MASKS:
        settings["network"]["weights_path"] = first_weights(wildcards)[0]
    return settings


def applied(part):
    """The settings that a trained part is applied with, except batch sizes, which change no result."""
    return part.inference.model_dump(mode="json", exclude={"tiles_per_batch", "patches_per_batch"})


def built(*settings):
    """The code that settings name: an edit of one network retrains that network alone."""
    return [one.builds for one in settings]


def searches():
    """The settings whose code searches training volumes for false positives; none for a recipe without a search."""
    detector = STUDY.detector
    is_searching = detector.training.hard_negatives.num_rounds > 0
    return [detector.training.hard_negatives, detector.inference.decode] if is_searching else []


def searched():
    """The inference settings that a training depends on: those of its searches for false positives."""
    return applied(STUDY.detector) if searches() else None


def unrecorded(value):
    """A param of a job whose change does not rerun the job.

    Snakemake (9.27) keeps no record of params that a function makes from the job's resources.
    """
    return lambda wildcards, resources: value


def given_settings():
    """The files and values of Snakemake's command line, for the command that the report shows."""
    given = workflow.config_settings
    files = [shown_path(path, Path.cwd()) for path in given.configfiles]
    return {"config_files": files, "config": dict(given.config)}


def raw_files(wildcards):
    """The raw scans of a subset; files with unchanged content are `ancient`, so that they rerun nothing."""
    subset = int(wildcards.subset)
    folder = Path(D) / "volumes" / f"subset{subset}"
    unchanged = {path.as_posix() for path in unchanged_files(RAW.by_subset[subset], folder)}
    # a file that a rule writes is never ancient
    kept = unchanged - {*RAW.whole_files()}
    return [ancient(file) if file in kept else file for file in RAW.files(subset)]


def drawn_files():
    """A file that changes when the phantom is drawn anew; nothing for a dataset that no rule writes.

    Raw files that are known to be unchanged are ancient, so that touching one reruns nothing. Without another file of
    the rule that draws them, a new phantom would be prepared by the next run, and not by the one that draws it.
    """
    return [(RAW.root / "annotations.csv").as_posix()] if STUDY.dataset.kind == "phantom" else []


def whole_scans(wildcards):
    """The series of whole scans in a subset. Their lungs are found, also if the lungs of crops are the whole volume."""
    return sorted(RAW.whole_subset_of(int(wildcards.subset)))


def reference_files(wildcards):
    """The reference lung masks of a subset's scans, if the dataset has any."""
    return RAW.reference_files(int(wildcards.subset))


def refused_scans(wildcards):
    """The scans of a subset that need more than a worker's memory. More memory reruns subsets of which the list changes."""
    subset = int(wildcards.subset)
    folder = Path(D) / "volumes" / f"subset{subset}"
    return list_refused(RAW.by_subset[subset], folder, STUDY.preprocessing)


def learning_subsets(wildcards):
    """The subsets for training and validation of fold k: all but the test subset k."""
    return [subset for subset in SUBSETS if subset != int(wildcards.fold)]


def learned_candidates(wildcards):
    """The candidates for training fold k's scorer; none for a recipe whose scorer learns without a detector."""
    return (
        [f"{R}/fold{wildcards.fold}/mined.parquet"] if STUDY.scorer.sampling.has_candidates else []
    )


def validation_subset(wildcards):
    """The subset on which fold k chooses weights and thresholds."""
    return (int(wildcards.fold) + 1) % len(SUBSETS)


def mined_subsets(wildcards):
    """The subsets in which a fold mines candidates: all for a scorer's training, else the validation subset, on which
    thresholds are chosen."""
    return (
        learning_subsets(wildcards)
        if STUDY.scorer.kind == "trained"
        else [validation_subset(wildcards)]
    )


def manifests(subsets):
    """The volume manifests of the given subsets."""
    return [f"{D}/volumes/subset{subset}/manifest.json" for subset in subsets]


def masks(subsets):
    """The nodule masks of the given subsets for training a detector; none for a recipe that paints balls."""
    return [file for subset in subsets for file in RAW.mask_files(subset)] if HAS_MASKS else []


def histories(role):
    """The histories of a role's trainings; none if the recipe does not train that role."""
    is_trained = getattr(STUDY, role).kind == "trained"
    return [f"{R}/fold{fold}/{role}_history.parquet" for fold in STUDY.folds if is_trained]


def candidate_masks():
    """The masks of the candidates of all folds; none if the dataset gives the candidates."""
    if STUDY.detector.kind == "trained":
        return [f"{R}/fold{fold}/candidate_masks.parquet" for fold in STUDY.folds]
    # those of the study whose candidates are scored, if it has any
    folders = [STUDY.candidates_dir / f"fold{fold}" for fold in STUDY.folds if STUDY.candidates_dir]
    paths = [folder / "candidate_masks.parquet" for folder in folders]
    return [path.as_posix() for path in paths if path.is_file()]


def viewer_listing():
    """The list of viewer pages, if `snakemake write_viewers` has made any: the report then links to them."""
    listing = Path(R) / "viewer" / "pages.json"
    return [listing.as_posix()] if listing.is_file() else []
