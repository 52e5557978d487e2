import json
from pathlib import Path

import pandas as pd

from lungpipe.reporting.page import FIGURES, PageInputs, write_page
from lungpipe.services.job import open_job
from lungpipe.services.provenance import environment

with open_job(snakemake) as job:
    page = Path(snakemake.output.page)
    inputs = PageInputs(
        summary=json.loads(Path(snakemake.input.evaluation).read_text()),
        study=snakemake.params.study,
        accounting=pd.read_csv(snakemake.input.accounting),
        patients=pd.read_csv(snakemake.input.patients, dtype={"patient_id": "str"}),
        figures={name: Path(snakemake.input[name]) for name in FIGURES},
        software={"commit": job.commit, **environment()},
    )
    write_page(inputs, page)
    job.log_artifact(page)
