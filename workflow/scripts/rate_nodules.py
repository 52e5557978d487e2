from pathlib import Path

from lungpipe.inference.rating import rate_nodules
from lungpipe.inference.scorer import Scorer
from lungpipe.models import choose_hardware, describe_hardware, load_fold_model
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import ScorerInference
from lungpipe.tables import NODULES, RATED, read_table, write_table
from lungpipe.volumes.collection import locate_stores

fold, params = int(snakemake.wildcards.fold), snakemake.params
compute = ComputeSettings(device=params.device, precision=params.precision)
inference = ScorerInference.model_validate({**params.settings, "patches_per_batch": params.patches_per_batch})
hardware = choose_hardware(compute, share_of_cores(snakemake.threads))
with open_job(snakemake, fold=fold) as job:
    job.ran(describe_hardware(hardware))
    scorer = Scorer(load_fold_model(Path(snakemake.input.model), "scorer", fold), inference, hardware)
    stores = locate_stores(map(Path, snakemake.input.manifests))
    rated = rate_nodules(scorer, stores, read_table(Path(snakemake.input.nodules), NODULES), fold=fold)
    write_table(rated, Path(snakemake.output.rated), RATED)
    job.log(0, {"num_nodules": len(rated)})
