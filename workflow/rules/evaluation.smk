"""Scored candidates to evaluation, figures and report."""

from lungpipe.services.provenance import PACKAGE_DIR, file_digest


rule evaluate_study:
    input:
        scored=expand(f"{R}/fold{{fold}}/scored.parquet", fold=STUDY.folds),
        validation=expand(f"{R}/fold{{fold}}/validation.parquet", fold=STUDY.folds),
        series=f"{D}/targets/series.parquet",
        nodules=f"{D}/targets/nodules.parquet",
        exclusions=f"{D}/targets/exclusions.parquet",
        manifests=manifests(STUDY.folds),
    output:
        evaluation=report(
            f"{R}/evaluation/evaluation.json",
            caption="../report/evaluation.rst",
            category="Evaluation",
        ),
        froc=f"{R}/evaluation/froc.csv",
        band=f"{R}/evaluation/froc_band.csv",
        matches=f"{R}/evaluation/matches.parquet",
        hits=f"{R}/evaluation/hits.csv",
        submission=f"{R}/evaluation/submission.csv",
        patients=f"{R}/evaluation/patients.csv",
        whole_scans=f"{R}/evaluation/whole_scans.csv",
        series=f"{R}/evaluation/series.csv",
        annotations=f"{R}/evaluation/annotations.csv",
        excluded=f"{R}/evaluation/annotations_excluded.csv",
        command=f"{R}/evaluation/command.txt",
        digests=f"{R}/evaluation/digests.json",
    log:
        f"{R}/logs/evaluate_study.log",
    benchmark:
        f"{R}/benchmarks/evaluate_study.tsv"
    conda:
        "../../envs/runtime.yaml"
    params:
        run=f"{R}/tracking/run.json",
        code=code_of("evaluate_study"),
        folds=list(STUDY.folds),
        whole_scans=sorted(RAW.whole_subset_of()),
        num_subsets=STUDY.dataset.num_subsets,
        seed=STUDY.seed,
        settings=dump("evaluation", "patient"),
    script:
        "../scripts/evaluate_study.py"


rule draw_figures:
    input:
        evaluation=f"{R}/evaluation/evaluation.json",
        hits=f"{R}/evaluation/hits.csv",
        digests=f"{R}/evaluation/digests.json",
        series=f"{D}/targets/series.parquet",
        detector=histories("detector"),
        scorer=histories("scorer"),
        manifests=manifests(STUDY.folds),
        masks=[file for fold in STUDY.folds for file in RAW.mask_files(fold)],
        candidate_masks=candidate_masks(),
    output:
        froc=report(f"{R}/figures/froc.png", caption="../report/froc.rst", category="Evaluation"),
        training=report(
            f"{R}/figures/training.png", caption="../report/training.rst", category="Training"
        ),
        candidates=report(
            f"{R}/figures/candidates.png",
            caption="../report/candidates.rst",
            category="Candidates",
        ),
        charts=f"{R}/figures/charts.json",
        pictures=f"{R}/figures/pictures.json",
        digests=f"{R}/figures/digests.json",
    log:
        f"{R}/logs/draw_figures.log",
    benchmark:
        f"{R}/benchmarks/draw_figures.tsv"
    conda:
        "../../envs/runtime.yaml"
    params:
        run=f"{R}/tracking/run.json",
        code=code_of("draw_figures"),
        malignancy_rule=STUDY.evaluation.malignancy_rule,
    script:
        "../scripts/draw_figures.py"


rule write_report:
    input:
        evaluation=f"{R}/evaluation/evaluation.json",
        accounting=f"{D}/volumes/accounting.csv",
        accounted=f"{D}/volumes/digests.json",
        hits=f"{R}/evaluation/hits.csv",
        digests=f"{R}/evaluation/digests.json",
        series=f"{D}/targets/series.parquet",
        charts=f"{R}/figures/charts.json",
        pictures=f"{R}/figures/pictures.json",
        viewers=viewer_listing(),
        drawn=f"{R}/figures/digests.json",
    output:
        page=report(f"{R}/report.html", caption="../report/page.rst", category="Report"),
        settings=f"{R}/settings.yaml",
        shared=f"{R}/tracking/evaluation.json",
    log:
        f"{R}/logs/write_report.log",
    benchmark:
        f"{R}/benchmarks/write_report.tsv"
    conda:
        "../../envs/runtime.yaml"
    params:
        run=f"{R}/tracking/run.json",
        code=code_of("write_report"),
        templates=file_digest((PACKAGE_DIR / "reporting" / "templates").glob("*.*")),
        command=unrecorded(given_settings()),
        study=STUDY.model_dump(mode="json", exclude={"tracking", "results_dir"}),
    script:
        "../scripts/write_report.py"


rule write_viewers:
    input:
        evaluation=f"{R}/evaluation/evaluation.json",
        digests=f"{R}/evaluation/digests.json",
        scored=expand(f"{R}/fold{{fold}}/scored.parquet", fold=STUDY.folds),
        series=f"{D}/targets/series.parquet",
        manifests=manifests(STUDY.folds),
        candidate_masks=candidate_masks(),
    output:
        listing=f"{R}/viewer/pages.json",
    log:
        f"{R}/logs/write_viewers.log",
    benchmark:
        f"{R}/benchmarks/write_viewers.tsv"
    conda:
        "../../envs/runtime.yaml"
    threads: STUDY.compute.num_threads
    params:
        run=f"{R}/tracking/run.json",
        code=code_of("write_viewers"),
        page=file_digest((PACKAGE_DIR / "viewer" / "page").glob("*.*")),
    script:
        "../scripts/write_viewers.py"
