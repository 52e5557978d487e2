from pathlib import Path

from lungpipe.datasets.folds import split_for_training
from lungpipe.models import choose_hardware
from lungpipe.models.checkpoint import ModelCard, save_checkpoint
from lungpipe.sampling.pack import PackedPatches
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.services.provenance import file_digest
from lungpipe.settings import ComputeSettings, SegmenterSettings
from lungpipe.tables import HISTORY, SERIES, read_table, write_table
from lungpipe.training.fit_segmenter import fit_segmenter

fold, settings = int(snakemake.wildcards.fold), snakemake.params.settings
segmenter = SegmenterSettings.model_validate(settings["segmenter"])
hardware = choose_hardware(ComputeSettings.model_validate(settings["compute"]), share_of_cores(snakemake.threads))
with open_job(snakemake, fold=fold) as job:
    split = split_for_training(read_table(Path(snakemake.input.series), SERIES), fold, snakemake.params.num_subsets)
    packed = PackedPatches.join(PackedPatches.load(Path(path)) for path in snakemake.input.patches)
    packs = packed.only(split.training_uids), packed.only(split.validation_uids)
    job.expect(segmenter.training.num_steps)
    network, outcome = fit_segmenter(packs, segmenter, hardware, seed=snakemake.params.seed + fold, log=job.log)
    digest = file_digest(map(Path, snakemake.input.patches))
    card = ModelCard.of("segmenter", settings["segmenter"], split, data_digest=digest, best_step=outcome.best_step)
    save_checkpoint(Path(snakemake.output.weights), network, card)
    write_table(outcome.history, Path(snakemake.output.history), HISTORY)
    job.log_artifact(Path(snakemake.output.weights))
