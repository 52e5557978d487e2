from pathlib import Path

from lungpipe.sampling.pack import pack_subset
from lungpipe.services.job import open_job
from lungpipe.settings import SegmenterSettings
from lungpipe.tables import EXCLUSIONS, NODULES, read_table
from lungpipe.volumes.collection import locate_stores

settings = SegmenterSettings.model_validate(snakemake.params.settings)
with open_job(snakemake, subset=int(snakemake.wildcards.subset)) as job:
    stores = locate_stores([Path(snakemake.input.manifest)])
    nodules = read_table(Path(snakemake.input.nodules), NODULES)
    exclusions = read_table(Path(snakemake.input.exclusions), EXCLUSIONS)
    packed = pack_subset(stores, nodules, exclusions, settings, seed=snakemake.params.seed)
    packed.save(Path(snakemake.output.patches))
    job.log(0, {"num_blocks": len(packed), "num_nodule_blocks": int(packed.has_nodule.sum())})
