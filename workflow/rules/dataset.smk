"""Raw scans, annotations and ratings."""

import os

if STUDY.dataset.kind == "phantom":

    rule write_phantom:
        output:
            scans=[file for subset in SUBSETS for file in RAW.files(subset)],
            references=[file for subset in SUBSETS for file in RAW.reference_files(subset)],
            tables=RAW.tables,
        log:
            f"{D}/logs/write_phantom.log",
        benchmark:
            f"{D}/benchmarks/write_phantom.tsv"
        conda:
            "../../envs/runtime.yaml"
        threads: 64  # all granted cores
        params:
            code=code_of("write_phantom"),
            root=lambda wildcards, output: os.path.dirname(output.tables[0]),
            num_subsets=STUDY.dataset.num_subsets,
            settings=STUDY.dataset.phantom.model_dump(mode="json"),
        script:
            "../scripts/write_phantom.py"


if RAW.whole_scans:

    rule import_whole_scans:
        input:
            sources=[file for one in RAW.whole_scans for file in one.source_files()],
        output:
            scans=RAW.whole_files(),
        log:
            f"{D}/logs/import_whole_scans.log",
        benchmark:
            f"{D}/benchmarks/import_whole_scans.tsv"
        conda:
            "../../envs/runtime.yaml"
        params:
            run=f"{D}/tracking/run.json",
            code=code_of("import_whole_scans", DICOM, METAIMAGE, NIFTI, ZIPPED),
            scans=[
                (one.source.as_posix(), one.scan.series_uid, one.scan.header_path.as_posix())
                for one in RAW.whole_scans
            ],
        script:
            "../scripts/import_whole_scans.py"


if RAW.readings is not None:

    rule collect_ratings:
        input:
            readings=RAW.readings.path.as_posix(),
            annotations=(RAW.readings.annotations_dir / "annotations.csv").as_posix(),
            exclusions=(RAW.readings.annotations_dir / "annotations_excluded.csv").as_posix(),
        output:
            ratings=f"{D}/targets/nodule_ratings.csv",
        log:
            f"{D}/logs/collect_ratings.log",
        benchmark:
            f"{D}/benchmarks/collect_ratings.tsv"
        conda:
            "../../envs/runtime.yaml"
        params:
            run=f"{D}/tracking/run.json",
            code=code_of("collect_ratings"),
        script:
            "../scripts/collect_ratings.py"


rule collect_targets:
    input:
        tables=RAW.tables,
        whole_tables=RAW.whole_tables,
        ratings=[f"{D}/targets/nodule_ratings.csv"] if RAW.readings is not None else [],
    output:
        series=f"{D}/targets/series.parquet",
        nodules=f"{D}/targets/nodules.parquet",
        ratings=f"{D}/targets/ratings.parquet",
        exclusions=f"{D}/targets/exclusions.parquet",
    log:
        f"{D}/logs/collect_targets.log",
    benchmark:
        f"{D}/benchmarks/collect_targets.tsv"
    conda:
        "../../envs/runtime.yaml"
    params:
        run=f"{D}/tracking/run.json",
        code=code_of("collect_targets"),
        root=lambda wildcards, input: os.path.dirname(input.tables[0]),
        subsets=RAW.subset_of(),
        whole_scans=RAW.whole_subset_of(),
    script:
        "../scripts/collect_targets.py"
