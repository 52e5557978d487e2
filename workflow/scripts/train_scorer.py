from pathlib import Path

from lungpipe.models import choose_hardware, describe_hardware
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.services.provenance import file_digest
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import TrainedScorer
from lungpipe.training.fold_model import FoldTables, FoldVolumes
from lungpipe.training.members import TrainingJob, delete_resume_files
from lungpipe.training.scorer import read_findings, train_fold_scorer
from lungpipe.volumes.collection import locate_stores

fold, params, output = int(snakemake.wildcards.fold), snakemake.params, snakemake.output
part = TrainedScorer.model_validate({**params.settings, "inference": params.inference})
num_threads = share_of_cores(snakemake.threads)
hardware = choose_hardware(ComputeSettings(device=params.device, precision=params.precision), num_threads)
with open_job(snakemake, fold=fold) as job:
    job.ran(describe_hardware(hardware))
    tables = FoldTables.read(snakemake.input, fold, params.num_subsets)
    mined, ratings = next(map(Path, snakemake.input.mined), None), Path(snakemake.input.ratings)
    findings = read_findings(tables, params.malignancy_rule, ratings=ratings, mined=mined)
    stores, digest = locate_stores(map(Path, snakemake.input.manifests)), file_digest(map(Path, snakemake.input))
    volumes = FoldVolumes(stores, tuple(params.spacing_zyx_mm), digest)
    resume = {"identity": f"{digest} {params.code}", "resume_dir": Path(output.model).parent}
    run = TrainingJob(hardware, params.seed, job.log, fold, num_threads=num_threads, say=job.say, **resume)
    job.expect(part.training.total_steps * part.training.num_members)
    train_fold_scorer(part, tables, volumes, run, findings=findings, **params.told).write(output)
    job.log_artifact(Path(output.model))
    delete_resume_files("scorer", run, part.training.num_members)
