"""All series to one model for other people: detector, scorer and model card in one folder (`snakemake final_model`)."""

if STUDY.detector.kind == "trained":

    rule train_final_detector:
        input:
            folds=expand(f"{R}/fold{{fold}}/detector.safetensors", fold=STUDY.folds),
            manifests=manifests(SUBSETS),
            series=f"{D}/targets/series.parquet",
            nodules=f"{D}/targets/nodules.parquet",
            exclusions=f"{D}/targets/exclusions.parquet",
            masks=masks(SUBSETS),
        output:
            model=f"{R}/final/detector.safetensors",
            history=f"{R}/final/detector_history.parquet",
            points=f"{R}/final/detector_points.parquet",
        log:
            f"{R}/logs/train_final_detector.log",
        benchmark:
            f"{R}/benchmarks/train_final_detector.tsv"
        conda:
            "../../envs/runtime.yaml"
        threads: STUDY.compute.num_threads
        resources:
            gpu=GPUS,
        params:
            run=f"{R}/tracking/run.json",
            code=code_of(
                "train_final_detector",
                *built(STUDY.detector.network, STUDY.detector.training.objective, *searches()),
            ),
            seed=STUDY.seed,
            num_subsets=STUDY.dataset.num_subsets,
            spacing_zyx_mm=list(STUDY.preprocessing.spacing_zyx_mm),
            precision=STUDY.compute.precision,
            recipe=STUDY.recipe,
            settings=learned(STUDY.detector),
            search=searched(),
            inference=unrecorded(STUDY.detector.inference.model_dump(mode="json")),
            device=unrecorded(STUDY.compute.device),
        script:
            "../scripts/train_final_detector.py"

    rule mine_final_candidates:
        input:
            model=f"{R}/final/detector.safetensors",
            folds=expand(f"{R}/fold{{fold}}/candidates.parquet", fold=STUDY.folds),
            manifests=manifests([subset for subset in SUBSETS if subset not in STUDY.folds]),
        output:
            candidates=f"{R}/final/mined.parquet",
        log:
            f"{R}/logs/mine_final_candidates.log",
        benchmark:
            f"{R}/benchmarks/mine_final_candidates.tsv"
        conda:
            "../../envs/runtime.yaml"
        threads: STUDY.compute.num_threads
        resources:
            gpu=GPUS,
        params:
            run=f"{R}/tracking/run.json",
            code=code_of(
                "mine_final_candidates",
                *built(STUDY.detector.network, STUDY.detector.inference.decode),
            ),
            settings=applied(STUDY.detector),
            margin_mm=STUDY.preprocessing.lung_margin_mm,
            precision=STUDY.compute.precision,
            device=unrecorded(STUDY.compute.device),
            tiles_per_batch=unrecorded(STUDY.detector.inference.tiles_per_batch),
        script:
            "../scripts/mine_final_candidates.py"

    if STUDY.scorer.kind == "trained":

        rule train_final_scorer:
            input:
                folds=expand(f"{R}/fold{{fold}}/scorer.safetensors", fold=STUDY.folds),
                mined=[f"{R}/final/mined.parquet"] if STUDY.scorer.sampling.has_candidates else [],
                manifests=manifests(SUBSETS),
                series=f"{D}/targets/series.parquet",
                nodules=f"{D}/targets/nodules.parquet",
                ratings=f"{D}/targets/ratings.parquet",
                exclusions=f"{D}/targets/exclusions.parquet",
                weights=first_weights,
            output:
                model=f"{R}/final/scorer.safetensors",
                history=f"{R}/final/scorer_history.parquet",
                points=f"{R}/final/scorer_points.parquet",
            log:
                f"{R}/logs/train_final_scorer.log",
            benchmark:
                f"{R}/benchmarks/train_final_scorer.tsv"
            conda:
                "../../envs/runtime.yaml"
            threads: STUDY.compute.num_threads
            resources:
                gpu=GPUS,
            params:
                run=f"{R}/tracking/run.json",
                code=code_of(
                    "train_final_scorer",
                    *built(
                        STUDY.scorer.network, *mask_networks(), STUDY.scorer.training.objective
                    ),
                ),
                seed=STUDY.seed,
                num_subsets=STUDY.dataset.num_subsets,
                malignancy_rule=STUDY.evaluation.malignancy_rule,
                spacing_zyx_mm=list(STUDY.preprocessing.spacing_zyx_mm),
                precision=STUDY.compute.precision,
                recipe=STUDY.recipe,
                settings=learned_by_scorer,
                inference=unrecorded(STUDY.scorer.inference.model_dump(mode="json")),
                device=unrecorded(STUDY.compute.device),
            script:
                "../scripts/train_final_scorer.py"

    rule package_model:
        input:
            detector=f"{R}/final/detector.safetensors",
            scorer=[f"{R}/final/scorer.safetensors"] if STUDY.scorer.kind == "trained" else [],
            evaluation=f"{R}/evaluation/evaluation.json",
            whole_scans=f"{R}/evaluation/whole_scans.csv",
            digests=f"{R}/evaluation/digests.json",
        output:
            files=[f"{MODEL_FOLDER}/{name}" for name in MODEL_FILES],
        log:
            f"{R}/logs/package_model.log",
        benchmark:
            f"{R}/benchmarks/package_model.tsv"
        conda:
            "../../envs/runtime.yaml"
        params:
            run=f"{R}/tracking/run.json",
            code=code_of("package_model"),
            malignancy_rule=STUDY.evaluation.malignancy_rule,
            settings=dump("model"),
        script:
            "../scripts/package_model.py"

    rule bundle_model:
        input:
            files=[f"{MODEL_FOLDER}/{name}" for name in MODEL_FILES],
        output:
            bundle=f"{MODEL_FOLDER}.lungpipe",
            example=f"{R}/final/example.json",
        log:
            f"{R}/logs/bundle_model.log",
        benchmark:
            f"{R}/benchmarks/bundle_model.tsv"
        conda:
            "../../envs/bundle.yaml"
        params:
            run=f"{R}/tracking/run.json",
            code=code_of("bundle_model", "lungpipe.serving.scan_model:ScanModel"),
            settings=dump("model"),
        script:
            "../scripts/bundle_model.py"
