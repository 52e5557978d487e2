from pathlib import Path

from lungpipe.datasets.annotations import read_annotations, read_exclusions
from lungpipe.lidc.files import read_readings
from lungpipe.lidc.ratings import Anchors, rate_nodules, unrated, write_ratings
from lungpipe.services.job import open_job

with open_job(snakemake) as job:
    annotations = read_annotations(Path(snakemake.input.annotations))
    readings = read_readings(Path(snakemake.input.readings), set(annotations["series_uid"]))
    anchors = Anchors(exclusions=read_exclusions(Path(snakemake.input.exclusions)))
    rated = rate_nodules(annotations, readings, anchors)
    write_ratings(rated, Path(snakemake.output.ratings))
    missing = list(unrated(rated))
    for line in missing:
        job.say(line)
    job.log(0, {"num_rated": len(annotations) - len(missing), "num_unrated": len(missing)})
