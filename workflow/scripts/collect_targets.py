from pathlib import Path

from lungpipe.datasets.targets import collect_targets, write_targets
from lungpipe.datasets.whole_scans import add_whole_scans
from lungpipe.services.job import open_job

with open_job(snakemake) as job:
    ratings = next(map(Path, snakemake.input.ratings), None)
    targets = collect_targets(Path(snakemake.params.root), snakemake.params.subsets, ratings)
    if snakemake.params.whole_scans:
        tables = Path(snakemake.input.whole_tables[0]).parent
        targets = add_whole_scans(targets, tables, snakemake.params.whole_scans, ratings)
    write_targets(targets, Path(snakemake.output.nodules).parent)
    counts = {"series": targets.series, "nodules": targets.nodules, "exclusions": targets.exclusions}
    job.log(0, {f"num_{name}": len(table) for name, table in counts.items()})
