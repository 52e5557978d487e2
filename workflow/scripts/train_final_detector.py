from pathlib import Path

from lungpipe.models import choose_hardware, describe_hardware
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.services.provenance import file_digest
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import TrainedDetector
from lungpipe.training.detector import train_fold_detector
from lungpipe.training.fold_choices import read_choices
from lungpipe.training.fold_model import FoldTables, FoldVolumes
from lungpipe.training.members import TrainingJob, delete_resume_files
from lungpipe.volumes.collection import locate_stores

params, output, num_threads = snakemake.params, snakemake.output, share_of_cores(snakemake.threads)
part = TrainedDetector.model_validate({**params.settings, "inference": params.inference})
hardware = choose_hardware(ComputeSettings(device=params.device, precision=params.precision), num_threads)
with open_job(snakemake) as job:
    job.ran(describe_hardware(hardware))
    tables = FoldTables.read(snakemake.input, None, params.num_subsets)
    mask_files = [Path(file) for file in snakemake.input.masks]
    digest = file_digest(map(Path, {*snakemake.input} - {*snakemake.input.folds}))
    stores = locate_stores(map(Path, snakemake.input.manifests))
    volumes = FoldVolumes(stores, tuple(params.spacing_zyx_mm), digest)
    resume = {"identity": f"{digest} {params.code}", "resume_dir": Path(output.model).parent}
    choices = read_choices(snakemake.input.folds)
    run = TrainingJob(hardware, params.seed, job.log, num_threads=num_threads, say=job.say, choices=choices, **resume)
    job.expect(part.training.total_steps * part.training.num_members)
    trained = train_fold_detector(part, tables, volumes, run, recipe=params.recipe, mask_files=mask_files)
    trained.write(output)
    delete_resume_files("detector", run, part.training.num_members)
