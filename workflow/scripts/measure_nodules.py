from pathlib import Path

from lungpipe.candidates.measures import measure_nodules
from lungpipe.services.job import open_job
from lungpipe.tables import MEASURES, NODULES, read_table, write_table
from lungpipe.volumes.collection import locate_stores

with open_job(snakemake, subset=int(snakemake.wildcards.subset)) as job:
    stores = locate_stores([Path(snakemake.input.manifest)])
    job.expect(len(stores))
    measured = measure_nodules(stores, read_table(Path(snakemake.input.nodules), NODULES), job.advance)
    write_table(measured, Path(snakemake.output.measures), MEASURES)
    job.log(0, {"num_nodules": len(measured)})
