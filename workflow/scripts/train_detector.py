from pathlib import Path

from lungpipe.models import choose_hardware, describe_hardware
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.services.provenance import file_digest
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import TrainedDetector
from lungpipe.training.detector import train_fold_detector
from lungpipe.training.fold_model import FoldTables, FoldVolumes
from lungpipe.training.members import TrainingJob, delete_resume_files
from lungpipe.volumes.collection import locate_stores

fold, params, output = int(snakemake.wildcards.fold), snakemake.params, snakemake.output
part = TrainedDetector.model_validate({**params.settings, "inference": params.inference})
num_threads = share_of_cores(snakemake.threads)
hardware = choose_hardware(ComputeSettings(device=params.device, precision=params.precision), num_threads)
with open_job(snakemake, fold=fold) as job:
    job.ran(describe_hardware(hardware))
    tables = FoldTables.read(snakemake.input, fold, params.num_subsets)
    mask_files = [Path(file) for file in snakemake.input.masks]
    stores, digest = locate_stores(map(Path, snakemake.input.manifests)), file_digest(map(Path, snakemake.input))
    volumes = FoldVolumes(stores, tuple(params.spacing_zyx_mm), digest)
    resume = {"identity": f"{digest} {params.code}", "resume_dir": Path(output.model).parent}
    run = TrainingJob(hardware, params.seed, job.log, fold, num_threads=num_threads, say=job.say, **resume)
    job.expect(part.training.total_steps * part.training.num_members)
    trained = train_fold_detector(part, tables, volumes, run, recipe=params.recipe, mask_files=mask_files)
    trained.write(output)
    job.log_artifact(Path(output.model))
    delete_resume_files("detector", run, part.training.num_members)
