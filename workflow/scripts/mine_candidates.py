from pathlib import Path

from lungpipe.inference.detect import DetectionSettings, mine_series
from lungpipe.models import Segmenter, choose_hardware, load_checkpoint
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.tables import CANDIDATES, write_table
from lungpipe.volumes.collection import locate_stores

fold = int(snakemake.wildcards.fold)
settings = DetectionSettings.of(snakemake.params.settings, snakemake.params.margin_mm)
hardware = choose_hardware(settings.compute, share_of_cores(snakemake.threads))
with open_job(snakemake, fold=fold) as job:
    network = Segmenter(settings.segmenter)
    card = load_checkpoint(Path(snakemake.input.weights), network, fold)
    stores = locate_stores(map(Path, snakemake.input.manifests))
    job.expect(len(stores))
    mined = mine_series(network, card, stores, settings, hardware=hardware, on_done=job.advance)
    write_table(mined, Path(snakemake.output.candidates), CANDIDATES)
    job.log(0, {"num_scans": len(stores), "num_candidates": len(mined)})
