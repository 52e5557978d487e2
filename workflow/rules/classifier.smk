"""Mined candidates to a classifier per fold, and its scores for the candidates of the test subset."""


rule train_classifier:
    input:
        mined=f"{R}/fold{{fold}}/mined.parquet",
        manifests=lambda wildcards: manifests(learning_subsets(wildcards)),
        series=f"{D}/targets/series.parquet",
        nodules=f"{D}/targets/nodules.parquet",
        exclusions=f"{D}/targets/exclusions.parquet",
    output:
        weights=f"{R}/fold{{fold}}/classifier.safetensors",
        history=f"{R}/fold{{fold}}/classifier_history.parquet",
    log:
        f"{R}/logs/train_classifier/fold{{fold}}.log",
    benchmark:
        f"{R}/benchmarks/train_classifier/fold{{fold}}.tsv"
    conda:
        "../../envs/runtime.yaml"
    threads: STUDY.compute.num_threads
    resources:
        gpu=GPUS,
    params:
        run=f"{R}/tracking/run.json",
        code=code_of("train_classifier"),
        seed=STUDY.seed,
        num_subsets=STUDY.dataset.num_subsets,
        malignancy_rule=STUDY.evaluation.malignancy_rule,
        settings=dump("classifier", "compute"),
    script:
        "../scripts/train_classifier.py"


rule score_candidates:
    input:
        weights=f"{R}/fold{{fold}}/classifier.safetensors",
        candidates=f"{R}/fold{{fold}}/candidates.parquet",
        mined=f"{R}/fold{{fold}}/mined.parquet",
        manifests=lambda wildcards: manifests([wildcards.fold, validation_subset(wildcards)]),
    output:
        scored=f"{R}/fold{{fold}}/scored.parquet",
        validation=f"{R}/fold{{fold}}/validation.parquet",
    log:
        f"{R}/logs/score_candidates/fold{{fold}}.log",
    benchmark:
        f"{R}/benchmarks/score_candidates/fold{{fold}}.tsv"
    conda:
        "../../envs/runtime.yaml"
    threads: STUDY.compute.num_threads
    resources:
        gpu=GPUS,
    params:
        run=f"{R}/tracking/run.json",
        code=code_of("score_candidates"),
        settings=dump("classifier", "compute"),
    script:
        "../scripts/score_candidates.py"
