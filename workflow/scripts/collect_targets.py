from pathlib import Path

from lungpipe.datasets.targets import collect_targets, write_targets
from lungpipe.services.job import open_job

with open_job(snakemake) as job:
    readings = next((Path(path) for path in snakemake.input.readings), None)
    targets = collect_targets(Path(snakemake.params.root), snakemake.params.subsets, readings)
    write_targets(targets, Path(snakemake.output.nodules).parent)
    counts = {"series": targets.series, "nodules": targets.nodules, "exclusions": targets.exclusions}
    job.log(0, {f"num_{name}": len(table) for name, table in counts.items()})
