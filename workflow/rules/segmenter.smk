"""Volumes to packed patches to a segmenter per fold."""


rule open_study_run:
    input:
        nodules=f"{D}/targets/nodules.parquet",
        series=f"{D}/targets/series.parquet",
    output:
        run=f"{R}/tracking/run.json",
    log:
        f"{R}/logs/open_study_run.log",
    benchmark:
        f"{R}/benchmarks/open_study_run.tsv"
    params:
        code=fingerprint("lungpipe.services.tracking"),
        study=STUDY.model_dump(mode="json"),
        tracking_uri=os.environ.get("MLFLOW_TRACKING_URI"),
    script:
        "../scripts/open_study_run.py"


rule pack_patches:
    input:
        manifest=f"{D}/volumes/subset{{subset}}/manifest.json",
        nodules=f"{D}/targets/nodules.parquet",
        exclusions=f"{D}/targets/exclusions.parquet",
        # only for its order: no fold trains before every scan is accounted for
        accounting=ancient(f"{D}/volumes/accounting.csv"),
        run=ancient(f"{R}/tracking/run.json"),
    output:
        patches=f"{R}/patches/subset{{subset}}.npz",
    log:
        f"{R}/logs/pack_patches/subset{{subset}}.log",
    benchmark:
        f"{R}/benchmarks/pack_patches/subset{{subset}}.tsv"
    params:
        code=fingerprint("lungpipe.sampling.pack", "lungpipe.volumes.collection"),
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
        run=ancient(f"{R}/tracking/run.json"),
    output:
        weights=f"{R}/fold{{fold}}/segmenter.safetensors",
        history=f"{R}/fold{{fold}}/segmenter_history.parquet",
    log:
        f"{R}/logs/train_segmenter/fold{{fold}}.log",
    benchmark:
        f"{R}/benchmarks/train_segmenter/fold{{fold}}.tsv"
    threads: STUDY.compute.num_threads
    params:
        code=fingerprint("lungpipe.training.fit_segmenter", "lungpipe.datasets.folds"),
        seed=STUDY.seed,
        num_subsets=STUDY.dataset.num_subsets,
        settings=dump("segmenter", "compute"),
    script:
        "../scripts/train_segmenter.py"
