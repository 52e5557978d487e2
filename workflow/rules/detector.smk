"""Volumes to a detector per fold; a recipe with given candidates has none."""

if STUDY.detector.kind == "trained":

    rule train_detector:
        input:
            manifests=lambda wildcards: manifests(learning_subsets(wildcards)),
            series=f"{D}/targets/series.parquet",
            nodules=f"{D}/targets/nodules.parquet",
            exclusions=f"{D}/targets/exclusions.parquet",
            masks=lambda wildcards: masks(learning_subsets(wildcards)),
        output:
            model=f"{R}/fold{{fold}}/detector.safetensors",
            history=f"{R}/fold{{fold}}/detector_history.parquet",
            points=f"{R}/fold{{fold}}/detector_points.parquet",
        log:
            f"{R}/logs/train_detector/fold{{fold}}.log",
        benchmark:
            f"{R}/benchmarks/train_detector/fold{{fold}}.tsv"
        conda:
            "../../envs/runtime.yaml"
        threads: fold_threads
        resources:
            gpu=GPUS,
        params:
            run=f"{R}/tracking/run.json",
            code=code_of(
                "train_detector",
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
            "../scripts/train_detector.py"
