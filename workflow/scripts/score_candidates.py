from pathlib import Path

from lungpipe.inference.score import score_candidates, validation_candidates
from lungpipe.models import Classifier, choose_hardware, load_checkpoint
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.settings import ClassifierSettings, ComputeSettings
from lungpipe.tables import CANDIDATES, SCORED, read_table, write_table
from lungpipe.volumes.collection import locate_stores

fold, settings = int(snakemake.wildcards.fold), snakemake.params.settings
classifier = ClassifierSettings.model_validate(settings["classifier"])
hardware = choose_hardware(ComputeSettings.model_validate(settings["compute"]), share_of_cores(snakemake.threads))
with open_job(snakemake, fold=fold) as job:
    network = Classifier(classifier)
    card = load_checkpoint(Path(snakemake.input.weights), network, fold)
    candidates = read_table(Path(snakemake.input.candidates), CANDIDATES)
    card.refuse_seen(candidates["series_uid"])
    stores = locate_stores(map(Path, snakemake.input.manifests))
    scored = score_candidates(network, stores, candidates, classifier, hardware=hardware)
    chosen_on = validation_candidates(card, read_table(Path(snakemake.input.mined), CANDIDATES))
    validation = score_candidates(network, stores, chosen_on, classifier, hardware=hardware)
    write_table(scored, Path(snakemake.output.scored), SCORED)
    write_table(validation, Path(snakemake.output.validation), SCORED)
    job.log(0, {"num_candidates": len(scored), "num_probable": int((scored["probability"] >= 0.5).sum())})
