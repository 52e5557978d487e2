from pathlib import Path

from lungpipe.inference.detector import Detector
from lungpipe.inference.series import join_candidates, mine_series
from lungpipe.models import choose_hardware, describe_hardware, load_model
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import DetectorInference
from lungpipe.tables import CANDIDATES, read_table, write_table
from lungpipe.volumes.collection import locate_stores

params = snakemake.params
compute = ComputeSettings(device=params.device, precision=params.precision)
inference = DetectorInference.model_validate({**params.settings, "tiles_per_batch": params.tiles_per_batch})
hardware = choose_hardware(compute, share_of_cores(snakemake.threads))
with open_job(snakemake) as job:
    job.ran(describe_hardware(hardware))
    detector = Detector(load_model(Path(snakemake.input.model), expect_role="detector"), inference, hardware)
    stores = locate_stores(map(Path, snakemake.input.manifests))
    job.expect(len(stores))
    unseen = [read_table(Path(path), CANDIDATES) for path in snakemake.input.folds]
    seen = mine_series(detector, stores, fold=None, margin_mm=params.margin_mm, on_done=job.advance)
    write_table(join_candidates([*unseen, seen]), Path(snakemake.output.candidates), CANDIDATES)
    job.log(0, {"num_unseen": sum(map(len, unseen)), "num_seen": len(seen)})
