from pathlib import Path

from lungpipe.models import choose_hardware, describe_hardware
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.services.provenance import file_digest
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import TrainedScorer
from lungpipe.training.fold_choices import read_choices
from lungpipe.training.fold_model import FoldTables, FoldVolumes
from lungpipe.training.members import TrainingJob, delete_resume_files
from lungpipe.training.scorer import read_findings, train_fold_scorer
from lungpipe.volumes.collection import locate_stores

params, output, num_threads = snakemake.params, snakemake.output, share_of_cores(snakemake.threads)
part = TrainedScorer.model_validate({**params.settings, "inference": params.inference})
hardware = choose_hardware(ComputeSettings(device=params.device, precision=params.precision), num_threads)
with open_job(snakemake) as job:
    job.ran(describe_hardware(hardware))
    tables = FoldTables.read(snakemake.input, None, params.num_subsets)
    mined, ratings = next(map(Path, snakemake.input.mined), None), Path(snakemake.input.ratings)
    findings = read_findings(tables, params.malignancy_rule, ratings=ratings, mined=mined)
    digest = file_digest(map(Path, {*snakemake.input} - {*snakemake.input.folds}))
    stores = locate_stores(map(Path, snakemake.input.manifests))
    volumes = FoldVolumes(stores, tuple(params.spacing_zyx_mm), digest)
    resume = {"identity": f"{digest} {params.code}", "resume_dir": Path(output.model).parent}
    choices = read_choices(snakemake.input.folds)
    run = TrainingJob(hardware, params.seed, job.log, num_threads=num_threads, say=job.say, choices=choices, **resume)
    job.expect(part.training.total_steps * part.training.num_members)
    train_fold_scorer(part, tables, volumes, run, findings=findings, recipe=params.recipe).write(output)
    delete_resume_files("scorer", run, part.training.num_members)
