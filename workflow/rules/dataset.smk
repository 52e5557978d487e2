"""Raw scans and what is annotated in them."""

if STUDY.dataset.kind == "phantom":

    rule write_phantom:
        output:
            scans=[file for subset in SUBSETS for file in RAW.files(subset)],
            tables=RAW.tables,
        log:
            f"{D}/logs/write_phantom.log",
        benchmark:
            f"{D}/benchmarks/write_phantom.tsv"
        threads: workflow.cores
        params:
            code=fingerprint("lungpipe.datasets.phantom"),
            root=RAW.root.as_posix(),
            seed=STUDY.seed,
            settings=dump("dataset"),
        script:
            "../scripts/write_phantom.py"


rule open_dataset_run:
    output:
        run=f"{D}/tracking/run.json",
    log:
        f"{D}/logs/open_dataset_run.log",
    benchmark:
        f"{D}/benchmarks/open_dataset_run.tsv"
    params:
        code=fingerprint("lungpipe.services.tracking"),
        settings=dump("dataset", "preprocessing", "tracking"),
        results_dir=STUDY.results_dir,
        tracking_uri=os.environ.get("MLFLOW_TRACKING_URI"),
    script:
        "../scripts/open_dataset_run.py"


rule collect_targets:
    input:
        tables=RAW.tables,
        run=ancient(f"{D}/tracking/run.json"),
    output:
        series=f"{D}/targets/series.parquet",
        nodules=f"{D}/targets/nodules.parquet",
        exclusions=f"{D}/targets/exclusions.parquet",
    log:
        f"{D}/logs/collect_targets.log",
    benchmark:
        f"{D}/benchmarks/collect_targets.tsv"
    params:
        code=fingerprint("lungpipe.datasets.targets"),
        root=RAW.root.as_posix(),
        num_subsets=STUDY.dataset.num_subsets,
        listing=RAW.listing_digest(),
    script:
        "../scripts/collect_targets.py"
