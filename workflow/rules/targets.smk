"""What the targets of the Snakefile ask for: all outputs of the rules that a target builds on."""

import re

# the rules of an evaluated study, of its pages, and of a model of all series: a target asks for all their outputs
STAGES = """
    write_phantom import_whole_scans collect_ratings collect_targets prepare_subset train_detector mine_candidates
    detect_candidates take_candidates select_candidates train_scorer score_candidates keep_scores evaluate_study
""".split()
PAGE_STAGES = "check_subset account_scans draw_figures write_report".split()
FINAL_STAGES = "train_final_detector mine_final_candidates train_final_scorer".split()


def outputs_of(*names):
    """All outputs of the rules of these names, over subsets and folds, as inputs of a target that builds on them.

    Snakemake removes the outputs of a job that fails or is killed. If the files that were made from these outputs are still
    there, from an earlier run, Snakemake takes them to be up to date, unless a target asks for the removed ones.
    """
    outputs = [str(file) for rule in workflow.rules if rule.name in names for file in rule.output]
    # Snakemake writes the constraints of wildcards into the outputs: {fold,...}
    plain = [re.sub(r"{(\w+),[^}]*}", r"{\1}", file) for file in outputs]
    return list(dict.fromkeys(expand(plain, subset=SUBSETS, fold=STUDY.folds)))


def final_files(files):
    """The files of a model of all series; an error for a study without a detector, which no scan can be searched with."""
    if STUDY.detector.kind == "trained":
        return [*files, *outputs_of(*STAGES, *FINAL_STAGES)]
    own = "the candidates of another study" if STUDY.candidates_of else f"recipe {STUDY.recipe!r}"
    raise WorkflowError(
        f"a model for other scans: expected a study that trains a detector, found {own}"
    )
