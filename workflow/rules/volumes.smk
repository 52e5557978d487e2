"""Raw scans to resampled volumes with lung masks, one job per subset, and the check of the volumes."""


rule prepare_subset:
    input:
        scans=raw_files,
        drawn=drawn_files(),
    output:
        manifest=update(f"{D}/volumes/subset{{subset}}/manifest.json"),
        failures=f"{D}/volumes/subset{{subset}}/failures.parquet",
    log:
        f"{D}/logs/prepare_subset/subset{{subset}}.log",
    benchmark:
        f"{D}/benchmarks/prepare_subset/subset{{subset}}.tsv"
    # before trainings: a scan that cannot be prepared then ends the run at once, if that is fatal
    priority: 2
    conda:
        "../../envs/runtime.yaml"
    threads: 2
    resources:
        # in all, for `--resources mem_mib=...` on one machine, and per core, for Slurm. Memory and machines change no
        # volume: they are not params, so that they rerun nothing
        mem_mib=lambda wildcards, threads: threads * WORKER_MIB,
        mem_mb_per_cpu=WORKER_MIB,
        scheduler_address=STUDY.preprocessing.scheduler_address,
    params:
        run=f"{D}/tracking/run.json",
        code=code_of("prepare_subset", FAILURE_TABLE, MANIFEST, aside=[WORKERS, MEMORY, *ARRANGING]),
        # a volume is computed again only if this changes
        volume_code=fingerprint(
            "lungpipe.preparation.volume:prepare_volume", METAIMAGE, aside=PLACING
        ),
        scans=lambda wildcards: RAW.listing(int(wildcards.subset)),
        refused=refused_scans,
        whole_scans=whole_scans,
        settings=STUDY.preprocessing.model_dump(
            mode="json", exclude=SURROUNDINGS | {"lung_margin_mm"}
        ),
    script:
        "../scripts/prepare_subset.py"


rule check_subset:
    input:
        manifest=f"{D}/volumes/subset{{subset}}/manifest.json",
        failures=f"{D}/volumes/subset{{subset}}/failures.parquet",
        nodules=f"{D}/targets/nodules.parquet",
        references=reference_files,
    output:
        qc=f"{D}/volumes/subset{{subset}}/qc.parquet",
        references=f"{D}/volumes/subset{{subset}}/references.parquet",
    log:
        f"{D}/logs/check_subset/subset{{subset}}.log",
    benchmark:
        f"{D}/benchmarks/check_subset/subset{{subset}}.tsv"
    # the accounting needs this job
    priority: 1
    conda:
        "../../envs/runtime.yaml"
    threads: 2
    resources:
        mem_mib=lambda wildcards, threads: threads * WORKER_MIB,
        mem_mb_per_cpu=WORKER_MIB,
    params:
        run=f"{D}/tracking/run.json",
        code=code_of("check_subset", aside=[WORKERS]),
        scans=lambda wildcards: RAW.listing(int(wildcards.subset), with_references=True),
        margin_mm=STUDY.preprocessing.lung_margin_mm,
        is_whole=STUDY.preprocessing.lung_mask == "whole",
        whole_scans=whole_scans,
    script:
        "../scripts/check_subset.py"


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
        digests=f"{D}/volumes/digests.json",
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
