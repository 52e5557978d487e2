"""Raw scans to resampled volumes with lung masks, a subset a job, and these beside reference masks."""


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
    resources:
        # in all, for `--resources mem_mib=...` on one machine, and for each core, for Slurm. Where the work is done
        # changes no volume: what is no param reruns nothing
        mem_mib=lambda wildcards, threads: threads * WORKER_MIB,
        mem_mb_per_cpu=WORKER_MIB,
        scheduler_address=STUDY.preprocessing.scheduler_address,
    params:
        run=f"{D}/tracking/run.json",
        code=code_of("prepare_subset", METAIMAGE, aside=[WORKERS, MEMORY]),
        # a volume is computed again, and a row of the QC table judged again, only where these change
        volume_code=fingerprint("lungpipe.preparation.volume:prepare_volume", METAIMAGE),
        row_code=fingerprint("lungpipe.preparation.qc:make_row"),
        scans=lambda wildcards: RAW.listing(int(wildcards.subset)),
        refused=refused_scans,
        settings=STUDY.preprocessing.model_dump(mode="json", exclude=SURROUNDINGS),
    script:
        "../scripts/prepare_subset.py"


rule compare_lungs:
    input:
        manifest=f"{D}/volumes/subset{{subset}}/manifest.json",
        references=reference_files,
    output:
        references=f"{D}/volumes/subset{{subset}}/references.parquet",
    log:
        f"{D}/logs/compare_lungs/subset{{subset}}.log",
    benchmark:
        f"{D}/benchmarks/compare_lungs/subset{{subset}}.tsv"
    # the accounting waits for it
    priority: 1
    conda:
        "../../envs/runtime.yaml"
    threads: 2
    resources:
        mem_mib=lambda wildcards, threads: threads * WORKER_MIB,
        mem_mb_per_cpu=WORKER_MIB,
    params:
        run=f"{D}/tracking/run.json",
        code=code_of("compare_lungs", aside=[WORKERS]),
        scans=lambda wildcards: RAW.listing(int(wildcards.subset), with_references=True),
        is_whole=STUDY.preprocessing.lung_mask == "whole",
    script:
        "../scripts/compare_lungs.py"


rule account_scans:
    input:
        manifests=manifests(SUBSETS),
        qc=expand(f"{D}/volumes/subset{{subset}}/qc.parquet", subset=SUBSETS),
        references=expand(f"{D}/volumes/subset{{subset}}/references.parquet", subset=SUBSETS),
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
        code=code_of("account_scans"),
        is_failure_fatal=STUDY.preprocessing.is_failure_fatal,
    script:
        "../scripts/account_scans.py"
