import json
from pathlib import Path

import pandas as pd

from lungpipe.evaluation.result_tables import STUDY_FILES
from lungpipe.reporting.computed import read_computed
from lungpipe.reporting.other_studies import read_other_studies
from lungpipe.reporting.page import FIGURES, PageInputs
from lungpipe.reporting.report import write_report
from lungpipe.services.job import RAN_SUFFIX, open_job
from lungpipe.services.provenance import environment
from lungpipe.tables import check_digests

with open_job(snakemake) as job:
    check_digests(Path(snakemake.input.evaluation).parent, STUDY_FILES)
    folder = Path(snakemake.output.page).parent
    inputs = PageInputs(
        summary=json.loads(Path(snakemake.input.evaluation).read_text()),
        study=snakemake.params.study,
        accounting=pd.read_csv(snakemake.input.accounting),
        patients=pd.read_csv(snakemake.input.patients, dtype={"patient_id": "str"}),
        figures={name: Path(snakemake.input[name]) for name in FIGURES},
        software={"commit": job.commit, **environment()},
        others=read_other_studies(folder),
        computed=read_computed(folder / "logs", RAN_SUFFIX),
        command=Path(snakemake.input.command).read_text(),
    )
    for path in write_report(inputs, folder):
        job.log_artifact(path, on_parent=True)
