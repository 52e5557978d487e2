from pathlib import Path

from lungpipe.candidates.of_study import take_candidates
from lungpipe.datasets.folds import split_for_training
from lungpipe.services.job import open_job
from lungpipe.tables import CANDIDATES, SERIES, read_table, write_table

fold = int(snakemake.wildcards.fold)
with open_job(snakemake, fold=fold) as job:
    split = split_for_training(read_table(Path(snakemake.input.series), SERIES), fold, snakemake.params.num_subsets)
    learned = {*split.training_uids, *split.validation_uids}
    candidates = take_candidates(Path(snakemake.input.candidates), split.test_uids, fold=fold)
    mined = take_candidates(Path(snakemake.input.mined), learned, fold=fold, trained_on=split.training_uids)
    write_table(candidates, Path(snakemake.output.candidates), CANDIDATES)
    write_table(mined, Path(snakemake.output.mined), CANDIDATES)
    job.log(0, {"num_scans": len(split.test_uids), "num_candidates": len(candidates)})
