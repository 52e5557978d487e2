from pathlib import Path

import lungpipe.serving
from lungpipe.export.bundle import Wishes, bundle_model
from lungpipe.services.job import open_job
from lungpipe.serving.example import write_example

about = snakemake.params.settings["model"]
with open_job(snakemake) as job:
    bundle, example = Path(snakemake.output.bundle), Path(snakemake.output.example)
    bundle_model(Path(snakemake.input.files[0]).parent, bundle, Wishes(licence=about["licence"]))
    write_example(example)
    code = Path(lungpipe.serving.__file__).with_name("scan_model.py")
    job.register_model(about["name"], bundle, code, example)
