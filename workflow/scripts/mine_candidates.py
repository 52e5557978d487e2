from pathlib import Path

from lungpipe.datasets.folds import split_for_training
from lungpipe.inference.detector import Detector
from lungpipe.inference.series import mine_series
from lungpipe.models import choose_hardware, describe_hardware, load_fold_model
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import DetectorInference
from lungpipe.tables import CANDIDATES, SERIES, read_table, write_table
from lungpipe.volumes.collection import locate_stores

fold, params = int(snakemake.wildcards.fold), snakemake.params
compute = ComputeSettings(device=params.device, precision=params.precision)
inference = DetectorInference.model_validate({**params.settings, "tiles_per_batch": params.tiles_per_batch})
hardware = choose_hardware(compute, share_of_cores(snakemake.threads))
with open_job(snakemake, fold=fold) as job:
    job.ran(describe_hardware(hardware))
    split = split_for_training(read_table(Path(snakemake.input.series), SERIES), fold, params.num_subsets)
    detector = Detector(load_fold_model(Path(snakemake.input.model), "detector", split), inference, hardware)
    stores = locate_stores(map(Path, snakemake.input.manifests))
    job.expect(len(stores))
    mined = mine_series(detector, stores, fold=fold, margin_mm=params.margin_mm, on_done=job.advance)
    write_table(mined, Path(snakemake.output.candidates), CANDIDATES)
    job.log(0, {"num_scans": len(stores), "num_candidates": len(mined)})
