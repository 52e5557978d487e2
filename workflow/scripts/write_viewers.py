from pathlib import Path

import pandas as pd

from lungpipe.delivery.study_pages import ShownStudy, write_study_pages
from lungpipe.evaluation.result_tables import STUDY_FILES
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.reporting.examples import NUM_PICTURES
from lungpipe.reporting.pictures.findings import Places
from lungpipe.services.job import open_job, share_of_cores
from lungpipe.tables import CANDIDATE_MASKS, SCORED, SERIES, check_digests, read_table
from lungpipe.volumes.collection import locate_stores

with open_job(snakemake) as job:
    evaluated = Path(snakemake.input.evaluation).parent
    check_digests(evaluated, STUDY_FILES)
    stored = StoredEvaluation.read(evaluated)
    series = read_table(Path(snakemake.input.series), SERIES)
    found = [read_table(Path(path), CANDIDATE_MASKS) for path in snakemake.input.candidate_masks]
    stores = locate_stores(map(Path, snakemake.input.manifests))
    places = Places.of(stored, series, stores, [], candidate_masks=found)
    scored = pd.concat([read_table(Path(path), SCORED) for path in snakemake.input.scored], ignore_index=True)
    study, folder = ShownStudy(stored.matches, scored, places), Path(snakemake.output.listing).parent
    threads = share_of_cores(snakemake.threads)
    scans = write_study_pages(study, NUM_PICTURES, folder, threads=threads, on_page=job.say)
    job.log(0, {"num_pages": len(scans)})
