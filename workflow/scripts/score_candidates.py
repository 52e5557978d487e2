from pathlib import Path

from lungpipe.candidates.of_fold import read_fold_candidates
from lungpipe.datasets.folds import split_for_training
from lungpipe.inference.scorer import Scorer
from lungpipe.inference.scoring import score_candidates
from lungpipe.inference.series import validation_candidates
from lungpipe.models import choose_hardware, describe_hardware, load_fold_model
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import ScorerInference
from lungpipe.tables import SCORED, SERIES, read_table, write_table
from lungpipe.volumes.collection import locate_stores

fold, params = int(snakemake.wildcards.fold), snakemake.params
compute = ComputeSettings(device=params.device, precision=params.precision)
inference = ScorerInference.model_validate({**params.settings, "patches_per_batch": params.patches_per_batch})
hardware = choose_hardware(compute, share_of_cores(snakemake.threads))
with open_job(snakemake, fold=fold) as job:
    job.ran(describe_hardware(hardware))
    split = split_for_training(read_table(Path(snakemake.input.series), SERIES), fold, params.num_subsets)
    scorer = Scorer(load_fold_model(Path(snakemake.input.model), "scorer", split), inference, hardware)
    candidates = read_fold_candidates(Path(snakemake.input.candidates), fold)
    scorer.card.refuse_seen(candidates["series_uid"])
    chosen_on = validation_candidates(scorer.card, read_fold_candidates(Path(snakemake.input.mined), fold))
    stores = locate_stores(map(Path, snakemake.input.manifests))
    scored, validation = (score_candidates(scorer, stores, table, fold=fold) for table in (candidates, chosen_on))
    write_table(scored, Path(snakemake.output.scored), SCORED)
    write_table(validation, Path(snakemake.output.validation), SCORED)
    job.log(0, {"num_candidates": len(scored), "num_probable": int((scored["probability"] >= 0.5).sum())})
