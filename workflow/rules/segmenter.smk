"""Volumes to packed patches to a segmenter per fold."""


rule pack_patches:
    input:
        manifest=f"{D}/volumes/subset{{subset}}/manifest.json",
        nodules=f"{D}/targets/nodules.parquet",
        exclusions=f"{D}/targets/exclusions.parquet",
    output:
        patches=f"{R}/patches/subset{{subset}}.npz",
    log:
        f"{R}/logs/pack_patches/subset{{subset}}.log",
    benchmark:
        f"{R}/benchmarks/pack_patches/subset{{subset}}.tsv"
    conda:
        "../../envs/runtime.yaml"
    params:
        run=f"{R}/tracking/run.json",
        code=code_of("pack_patches"),
        seed=STUDY.seed,
        settings=dump("segmenter")["segmenter"],
    script:
        "../scripts/pack_patches.py"


rule train_segmenter:
    input:
        patches=lambda wildcards: expand(
            f"{R}/patches/subset{{subset}}.npz", subset=learning_subsets(wildcards)
        ),
        series=f"{D}/targets/series.parquet",
    output:
        weights=f"{R}/fold{{fold}}/segmenter.safetensors",
        history=f"{R}/fold{{fold}}/segmenter_history.parquet",
    log:
        f"{R}/logs/train_segmenter/fold{{fold}}.log",
    benchmark:
        f"{R}/benchmarks/train_segmenter/fold{{fold}}.tsv"
    conda:
        "../../envs/runtime.yaml"
    threads: STUDY.compute.num_threads
    resources:
        gpu=GPUS,
    params:
        run=f"{R}/tracking/run.json",
        code=code_of("train_segmenter"),
        seed=STUDY.seed,
        num_subsets=STUDY.dataset.num_subsets,
        settings=dump("segmenter", "compute"),
    script:
        "../scripts/train_segmenter.py"
