"""Raw scans to resampled volumes with lung masks, a subset a job."""


rule prepare_subset:
    input:
        scans=raw_files,
        nodules=f"{D}/targets/nodules.parquet",
    output:
        manifest=update(f"{D}/volumes/subset{{subset}}/manifest.json"),
        qc=update(f"{D}/volumes/subset{{subset}}/qc.parquet"),
    log:
        f"{D}/logs/prepare_subset/subset{{subset}}.log",
    benchmark:
        f"{D}/benchmarks/prepare_subset/subset{{subset}}.tsv"
    # before anything that learns: a scan that cannot be prepared ends the run at once, where that is fatal
    priority: 2
    conda:
        "../../envs/runtime.yaml"
    threads: 2
    params:
        run=f"{D}/tracking/run.json",
        code=fingerprint("lungpipe.volumes.prepare"),
        root=RAW.root.as_posix(),
        settings=STUDY.preprocessing.model_dump(mode="json", exclude={"is_failure_fatal"}),
    script:
        "../scripts/prepare_subset.py"


rule account_scans:
    input:
        qc=expand(f"{D}/volumes/subset{{subset}}/qc.parquet", subset=SUBSETS),
        series=f"{D}/targets/series.parquet",
    output:
        accounting=report(
            f"{D}/volumes/accounting.csv",
            caption="../report/accounting.rst",
            category="Volumes",
        ),
    log:
        f"{D}/logs/account_scans.log",
    benchmark:
        f"{D}/benchmarks/account_scans.tsv"
    priority: 1
    conda:
        "../../envs/runtime.yaml"
    params:
        run=f"{D}/tracking/run.json",
        code=fingerprint("lungpipe.volumes.accounting"),
        is_failure_fatal=STUDY.preprocessing.is_failure_fatal,
    script:
        "../scripts/account_scans.py"
