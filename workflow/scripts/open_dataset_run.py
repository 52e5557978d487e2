from pathlib import Path

from lungpipe.services.job import open_job
from lungpipe.services.tracking import open_dataset_run
from lungpipe.settings import StudySettings

study = StudySettings.model_validate({**snakemake.params.settings, "results_dir": snakemake.params.results_dir})
with open_job(snakemake) as job:
    reference = open_dataset_run(study, Path(snakemake.output.run))
    job.say(f"tracking at {reference.uri}, run {reference.run_id}")
