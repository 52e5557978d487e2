from pathlib import Path

from lungpipe.candidates.of_fold import read_fold_candidates
from lungpipe.datasets.folds import split_for_training
from lungpipe.inference.unchanged import keep_scores
from lungpipe.services.job import open_job
from lungpipe.tables import SCORED, SERIES, read_table, write_table

fold = int(snakemake.wildcards.fold)
with open_job(snakemake, fold=fold) as job:
    series = read_table(Path(snakemake.input.series), SERIES)
    split = split_for_training(series, fold, snakemake.params.num_subsets)
    candidates, mined = (read_fold_candidates(Path(snakemake.input[name]), fold) for name in ("candidates", "mined"))
    chosen_on = mined[mined["series_uid"].isin(split.validation_uids)]
    write_table(keep_scores(candidates), Path(snakemake.output.scored), SCORED)
    write_table(keep_scores(chosen_on), Path(snakemake.output.validation), SCORED)
    job.log(0, {"num_candidates": len(candidates)})
