import json
from pathlib import Path

import pandas as pd

from lungpipe.reporting.other_studies import read_other_studies
from lungpipe.reporting.page import FIGURES, PageInputs, write_page
from lungpipe.services.job import open_job
from lungpipe.services.provenance import environment
from lungpipe.settings.difference import settings_text
from lungpipe.tables import write_text

with open_job(snakemake) as job:
    page = Path(snakemake.output.page)
    inputs = PageInputs(
        summary=json.loads(Path(snakemake.input.evaluation).read_text()),
        study=snakemake.params.study,
        accounting=pd.read_csv(snakemake.input.accounting),
        patients=pd.read_csv(snakemake.input.patients, dtype={"patient_id": "str"}),
        figures={name: Path(snakemake.input[name]) for name in FIGURES},
        software={"commit": job.commit, **environment()},
        others=read_other_studies(page.parent),
        command=Path(snakemake.input.command).read_text(),
    )
    write_page(inputs, page)
    write_text(Path(snakemake.output.settings), settings_text(snakemake.params.study))
    job.log_artifact(page)
