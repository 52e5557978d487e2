from pathlib import Path

from lungpipe.phantom import write_phantom
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.settings import PhantomSettings

settings = PhantomSettings.model_validate(snakemake.params.settings)
with open_job(snakemake) as job:
    write_phantom(
        Path(snakemake.params.root),
        settings,
        snakemake.params.num_subsets,
        num_workers=share_of_cores(snakemake.threads),
        log=job.say,
    )
