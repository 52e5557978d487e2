"""Segmenter to candidates: mined from scans it learned from, detected in scans it never saw."""


rule mine_candidates:
    input:
        weights=f"{R}/fold{{fold}}/segmenter.safetensors",
        manifests=lambda wildcards: manifests(learning_subsets(wildcards)),
    output:
        candidates=f"{R}/fold{{fold}}/mined.parquet",
    log:
        f"{R}/logs/mine_candidates/fold{{fold}}.log",
    benchmark:
        f"{R}/benchmarks/mine_candidates/fold{{fold}}.tsv"
    conda:
        "../../envs/runtime.yaml"
    threads: STUDY.compute.num_threads
    resources:
        gpu=GPUS,
    params:
        run=f"{R}/tracking/run.json",
        code=code_of("mine_candidates"),
        settings=dump("segmenter", "candidates", "compute"),
        margin_mm=STUDY.preprocessing.lung_margin_mm,
    script:
        "../scripts/mine_candidates.py"


rule detect_candidates:
    input:
        weights=f"{R}/fold{{fold}}/segmenter.safetensors",
        manifests=lambda wildcards: manifests([wildcards.fold]),
    output:
        candidates=f"{R}/fold{{fold}}/candidates.parquet",
    log:
        f"{R}/logs/detect_candidates/fold{{fold}}.log",
    benchmark:
        f"{R}/benchmarks/detect_candidates/fold{{fold}}.tsv"
    conda:
        "../../envs/runtime.yaml"
    threads: STUDY.compute.num_threads
    resources:
        gpu=GPUS,
    params:
        run=f"{R}/tracking/run.json",
        code=code_of("detect_candidates"),
        settings=dump("segmenter", "candidates", "compute"),
        margin_mm=STUDY.preprocessing.lung_margin_mm,
    script:
        "../scripts/detect_candidates.py"
