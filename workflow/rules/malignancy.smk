"""Annotated nodules, rated by the scorers that never saw them (study_malignancy) or measured (compare_measures)."""

if STUDY.scorer.kind == "trained":

    rule rate_nodules:
        input:
            model=f"{R}/fold{{fold}}/scorer.safetensors",
            nodules=f"{D}/targets/nodules.parquet",
            manifests=lambda wildcards: manifests([wildcards.fold]),
        output:
            rated=f"{R}/fold{{fold}}/rated.parquet",
        log:
            f"{R}/logs/rate_nodules/fold{{fold}}.log",
        benchmark:
            f"{R}/benchmarks/rate_nodules/fold{{fold}}.tsv"
        conda:
            "../../envs/runtime.yaml"
        threads: fold_threads
        resources:
            gpu=GPUS,
        params:
            run=f"{R}/tracking/run.json",
            code=code_of("rate_nodules", *built(STUDY.scorer.network, *mask_networks())),
            settings=applied(STUDY.scorer),
            precision=STUDY.compute.precision,
            device=unrecorded(STUDY.compute.device),
            patches_per_batch=unrecorded(STUDY.scorer.inference.patches_per_batch),
        script:
            "../scripts/rate_nodules.py"

    rule study_malignancy:
        input:
            rated=expand(f"{R}/fold{{fold}}/rated.parquet", fold=STUDY.folds),
            scorers=expand(f"{R}/fold{{fold}}/scorer.safetensors", fold=STUDY.folds),
            measures=expand(f"{D}/measures/subset{{subset}}.parquet", subset=STUDY.folds),
            series=f"{D}/targets/series.parquet",
            nodules=f"{D}/targets/nodules.parquet",
            ratings=f"{D}/targets/ratings.parquet",
        output:
            methods=f"{R}/malignancy/methods.csv",
            summary=f"{R}/malignancy/summary.json",
            cases=f"{R}/malignancy/cases.csv",
        log:
            f"{R}/logs/study_malignancy.log",
        benchmark:
            f"{R}/benchmarks/study_malignancy.tsv"
        conda:
            "../../envs/runtime.yaml"
        params:
            run=f"{R}/tracking/run.json",
            code=code_of("study_malignancy"),
            seed=STUDY.seed,
            settings=dump("evaluation"),
        script:
            "../scripts/study_malignancy.py"


rule measure_nodules:
    input:
        nodules=f"{D}/targets/nodules.parquet",
        manifest=f"{D}/volumes/subset{{subset}}/manifest.json",
    output:
        measures=f"{D}/measures/subset{{subset}}.parquet",
    log:
        f"{D}/logs/measure_nodules/subset{{subset}}.log",
    benchmark:
        f"{D}/benchmarks/measure_nodules/subset{{subset}}.tsv"
    conda:
        "../../envs/runtime.yaml"
    params:
        run=f"{D}/tracking/run.json",
        code=code_of("measure_nodules"),
    script:
        "../scripts/measure_nodules.py"


rule compare_measures:
    input:
        measures=expand(f"{D}/measures/subset{{subset}}.parquet", subset=SUBSETS),
        series=f"{D}/targets/series.parquet",
        nodules=f"{D}/targets/nodules.parquet",
        ratings=f"{D}/targets/ratings.parquet",
    output:
        methods=f"{R}/measures/methods.csv",
        summary=f"{R}/measures/summary.json",
        cases=f"{R}/measures/cases.csv",
    log:
        f"{R}/logs/compare_measures.log",
    benchmark:
        f"{R}/benchmarks/compare_measures.tsv"
    conda:
        "../../envs/runtime.yaml"
    params:
        run=f"{R}/tracking/run.json",
        code=code_of("compare_measures"),
        seed=STUDY.seed,
        settings=dump("evaluation"),
    script:
        "../scripts/compare_measures.py"
