"""Detector to candidates: mined in training scans, detected in unseen scans; or given by the dataset or another study."""

if STUDY.detector.kind == "trained":

    rule mine_candidates:
        input:
            model=f"{R}/fold{{fold}}/detector.safetensors",
            manifests=lambda wildcards: manifests(mined_subsets(wildcards)),
            series=f"{D}/targets/series.parquet",
        output:
            candidates=f"{R}/fold{{fold}}/mined.parquet",
        log:
            f"{R}/logs/mine_candidates/fold{{fold}}.log",
        benchmark:
            f"{R}/benchmarks/mine_candidates/fold{{fold}}.tsv"
        conda:
            "../../envs/runtime.yaml"
        threads: fold_threads
        resources:
            gpu=GPUS,
        params:
            run=f"{R}/tracking/run.json",
            code=code_of(
                "mine_candidates", *built(STUDY.detector.network, STUDY.detector.inference.decode)
            ),
            settings=applied(STUDY.detector),
            margin_mm=STUDY.preprocessing.lung_margin_mm,
            num_subsets=STUDY.dataset.num_subsets,
            precision=STUDY.compute.precision,
            device=unrecorded(STUDY.compute.device),
            tiles_per_batch=unrecorded(STUDY.detector.inference.tiles_per_batch),
        script:
            "../scripts/mine_candidates.py"

    rule detect_candidates:
        input:
            model=f"{R}/fold{{fold}}/detector.safetensors",
            manifests=lambda wildcards: manifests([wildcards.fold]),
            series=f"{D}/targets/series.parquet",
        output:
            candidates=f"{R}/fold{{fold}}/candidates.parquet",
            masks=f"{R}/fold{{fold}}/candidate_masks.parquet",
        log:
            f"{R}/logs/detect_candidates/fold{{fold}}.log",
        benchmark:
            f"{R}/benchmarks/detect_candidates/fold{{fold}}.tsv"
        conda:
            "../../envs/runtime.yaml"
        threads: fold_threads
        resources:
            gpu=GPUS,
        params:
            run=f"{R}/tracking/run.json",
            code=code_of(
                "detect_candidates",
                *built(STUDY.detector.network, STUDY.detector.inference.decode),
            ),
            settings=applied(STUDY.detector),
            margin_mm=STUDY.preprocessing.lung_margin_mm,
            num_subsets=STUDY.dataset.num_subsets,
            precision=STUDY.compute.precision,
            device=unrecorded(STUDY.compute.device),
            tiles_per_batch=unrecorded(STUDY.detector.inference.tiles_per_batch),
        script:
            "../scripts/detect_candidates.py"


if STUDY.candidates_dir:

    rule take_candidates:
        input:
            candidates=f"{STUDY.candidates_dir.as_posix()}/fold{{fold}}/candidates.parquet",
            mined=f"{STUDY.candidates_dir.as_posix()}/fold{{fold}}/mined.parquet",
            series=f"{D}/targets/series.parquet",
        output:
            candidates=f"{R}/fold{{fold}}/candidates.parquet",
            mined=f"{R}/fold{{fold}}/mined.parquet",
        log:
            f"{R}/logs/take_candidates/fold{{fold}}.log",
        benchmark:
            f"{R}/benchmarks/take_candidates/fold{{fold}}.tsv"
        conda:
            "../../envs/runtime.yaml"
        params:
            run=f"{R}/tracking/run.json",
            code=code_of("take_candidates"),
            num_subsets=STUDY.dataset.num_subsets,
        script:
            "../scripts/take_candidates.py"

elif STUDY.detector.kind == "given":

    rule select_candidates:
        input:
            given=find_candidates(RAW.root).as_posix(),
            series=f"{D}/targets/series.parquet",
        output:
            candidates=f"{R}/fold{{fold}}/candidates.parquet",
            mined=f"{R}/fold{{fold}}/mined.parquet",
        log:
            f"{R}/logs/select_candidates/fold{{fold}}.log",
        benchmark:
            f"{R}/benchmarks/select_candidates/fold{{fold}}.tsv"
        conda:
            "../../envs/runtime.yaml"
        params:
            run=f"{R}/tracking/run.json",
            code=code_of("select_candidates"),
            num_subsets=STUDY.dataset.num_subsets,
        script:
            "../scripts/select_candidates.py"
