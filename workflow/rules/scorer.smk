"""Mined candidates to a scorer per fold, which scores the test subset; without a scorer the detector's scores stay."""

if STUDY.scorer.kind == "trained":

    rule train_scorer:
        input:
            mined=learned_candidates,
            manifests=lambda wildcards: manifests(learning_subsets(wildcards)),
            series=f"{D}/targets/series.parquet",
            nodules=f"{D}/targets/nodules.parquet",
            ratings=f"{D}/targets/ratings.parquet",
            exclusions=f"{D}/targets/exclusions.parquet",
            weights=first_weights,
        output:
            model=f"{R}/fold{{fold}}/scorer.safetensors",
            history=f"{R}/fold{{fold}}/scorer_history.parquet",
            points=f"{R}/fold{{fold}}/scorer_points.parquet",
        log:
            f"{R}/logs/train_scorer/fold{{fold}}.log",
        benchmark:
            f"{R}/benchmarks/train_scorer/fold{{fold}}.tsv"
        conda:
            "../../envs/runtime.yaml"
        threads: fold_threads
        resources:
            gpu=GPUS,
        params:
            run=f"{R}/tracking/run.json",
            code=code_of(
                "train_scorer",
                *built(STUDY.scorer.network, *mask_networks(), STUDY.scorer.training.objective),
            ),
            seed=STUDY.seed,
            num_subsets=STUDY.dataset.num_subsets,
            malignancy_rule=STUDY.evaluation.malignancy_rule,
            spacing_zyx_mm=list(STUDY.preprocessing.spacing_zyx_mm),
            precision=STUDY.compute.precision,
            told=dict(recipe=STUDY.recipe, nodules_per_litre=STUDY.dataset.nodules_per_litre),
            settings=learned_by_scorer,
            inference=unrecorded(STUDY.scorer.inference.model_dump(mode="json")),
            device=unrecorded(STUDY.compute.device),
        script:
            "../scripts/train_scorer.py"

    rule score_candidates:
        input:
            model=f"{R}/fold{{fold}}/scorer.safetensors",
            candidates=f"{R}/fold{{fold}}/candidates.parquet",
            mined=f"{R}/fold{{fold}}/mined.parquet",
            manifests=lambda wildcards: manifests([wildcards.fold, validation_subset(wildcards)]),
            series=f"{D}/targets/series.parquet",
        output:
            scored=f"{R}/fold{{fold}}/scored.parquet",
            validation=f"{R}/fold{{fold}}/validation.parquet",
        log:
            f"{R}/logs/score_candidates/fold{{fold}}.log",
        benchmark:
            f"{R}/benchmarks/score_candidates/fold{{fold}}.tsv"
        conda:
            "../../envs/runtime.yaml"
        threads: fold_threads
        resources:
            gpu=GPUS,
        params:
            run=f"{R}/tracking/run.json",
            code=code_of("score_candidates", *built(STUDY.scorer.network, *mask_networks())),
            settings=applied(STUDY.scorer),
            num_subsets=STUDY.dataset.num_subsets,
            precision=STUDY.compute.precision,
            device=unrecorded(STUDY.compute.device),
            patches_per_batch=unrecorded(STUDY.scorer.inference.patches_per_batch),
        script:
            "../scripts/score_candidates.py"


if STUDY.scorer.kind == "unchanged":

    rule keep_scores:
        input:
            candidates=f"{R}/fold{{fold}}/candidates.parquet",
            mined=f"{R}/fold{{fold}}/mined.parquet",
            series=f"{D}/targets/series.parquet",
        output:
            scored=f"{R}/fold{{fold}}/scored.parquet",
            validation=f"{R}/fold{{fold}}/validation.parquet",
        log:
            f"{R}/logs/keep_scores/fold{{fold}}.log",
        benchmark:
            f"{R}/benchmarks/keep_scores/fold{{fold}}.tsv"
        conda:
            "../../envs/runtime.yaml"
        params:
            run=f"{R}/tracking/run.json",
            code=code_of("keep_scores"),
            num_subsets=STUDY.dataset.num_subsets,
        script:
            "../scripts/keep_scores.py"
