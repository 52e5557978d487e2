from pathlib import Path

from lungpipe.datasets.folds import split_for_training
from lungpipe.datasets.given import select_candidates
from lungpipe.services.job import open_job
from lungpipe.tables import CANDIDATES, SERIES, read_table, write_table

fold, given = int(snakemake.wildcards.fold), Path(snakemake.input.given)
with open_job(snakemake, fold=fold) as job:
    series = read_table(Path(snakemake.input.series), SERIES)
    split = split_for_training(series, fold, snakemake.params.num_subsets)
    learned = {*split.training_uids, *split.validation_uids}
    candidates, mined = (select_candidates(given, series, uids, fold=fold) for uids in (split.test_uids, learned))
    write_table(candidates, Path(snakemake.output.candidates), CANDIDATES)
    write_table(mined, Path(snakemake.output.mined), CANDIDATES)
    job.log(0, {"num_scans": len(split.test_uids), "num_candidates": len(candidates)})
