from pathlib import Path

from lungpipe.services.job import open_job
from lungpipe.services.tracking import open_study_run
from lungpipe.settings import StudySettings

study = StudySettings.model_validate(snakemake.params.study)
data = [Path(snakemake.input.series), Path(snakemake.input.nodules)]
with open_job(snakemake) as job:
    reference = open_study_run(study, Path(snakemake.output.run), data)
    job.say(f"tracking at {reference.uri}, run {reference.run_id}")
