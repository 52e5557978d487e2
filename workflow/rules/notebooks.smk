"""Notebooks that show a finished study, executed on its files: `snakemake notebooks`."""


rule execute_demo:
    input:
        manifest=f"{D}/volumes/subset{STUDY.folds[0]}/manifest.json",
        nodules=f"{D}/targets/nodules.parquet",
        models=[f"{R}/fold{STUDY.folds[0]}/{part}.safetensors" for part in ("detector", "scorer")],
    output:
        candidates=f"{R}/notebooks/demo.csv",
    log:
        notebook=f"{R}/notebooks/demo.ipynb",
    benchmark:
        f"{R}/benchmarks/execute_demo.tsv"
    conda:
        "../../envs/dev.yaml"
    params:
        code=notebook_code("demo"),
    notebook:
        "../notebooks/demo.ipynb"


rule execute_model_evaluation:
    input:
        evaluation=f"{R}/evaluation/evaluation.json",
        froc=f"{R}/evaluation/froc.csv",
        band=f"{R}/evaluation/froc_band.csv",
        matches=f"{R}/evaluation/matches.parquet",
        submission=f"{R}/evaluation/submission.csv",
        series=f"{R}/evaluation/series.csv",
        annotations=f"{R}/evaluation/annotations.csv",
        excluded=f"{R}/evaluation/annotations_excluded.csv",
        digests=f"{R}/evaluation/digests.json",
    output:
        figures=f"{R}/notebooks/model_evaluation.csv",
    log:
        notebook=f"{R}/notebooks/model_evaluation.ipynb",
    benchmark:
        f"{R}/benchmarks/execute_model_evaluation.tsv"
    conda:
        "../../envs/dev.yaml"
    params:
        code=notebook_code("model_evaluation"),
    notebook:
        "../notebooks/model_evaluation.ipynb"
