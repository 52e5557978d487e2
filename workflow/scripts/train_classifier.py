from pathlib import Path

from lungpipe.datasets.folds import split_for_training
from lungpipe.models import choose_hardware
from lungpipe.models.checkpoint import ModelCard, save_checkpoint
from lungpipe.sampling.cubes import TrainingTables, assemble_cubes
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.services.provenance import file_digest
from lungpipe.settings import ClassifierSettings, ComputeSettings
from lungpipe.tables import HISTORY, SERIES, read_table, write_table
from lungpipe.training.fit_classifier import fit_classifier
from lungpipe.volumes.collection import locate_stores

fold, seed, settings = int(snakemake.wildcards.fold), snakemake.params.seed, snakemake.params.settings
classifier = ClassifierSettings.model_validate(settings["classifier"])
hardware = choose_hardware(ComputeSettings.model_validate(settings["compute"]), share_of_cores(snakemake.threads))
with open_job(snakemake, fold=fold) as job:
    split = split_for_training(read_table(Path(snakemake.input.series), SERIES), fold, snakemake.params.num_subsets)
    tables = TrainingTables.read(snakemake.input, snakemake.params.malignancy_rule)
    stores = locate_stores(map(Path, snakemake.input.manifests))
    roles = split.training_uids, split.validation_uids
    cubes = tuple(
        assemble_cubes({u: stores[u] for u in r if u in stores}, tables, classifier, seed=seed) for r in roles
    )
    job.expect(classifier.training.num_steps)
    network, outcome = fit_classifier(cubes, classifier, hardware, seed=seed + fold, log=job.log)
    digest = file_digest([Path(snakemake.input.mined), *map(Path, snakemake.input.manifests)])
    card = ModelCard.of("classifier", settings["classifier"], split, data_digest=digest, best_step=outcome.best_step)
    save_checkpoint(Path(snakemake.output.weights), network, card)
    write_table(outcome.history, Path(snakemake.output.history), HISTORY)
