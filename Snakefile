"""lungpipe: from the ten LUNA16 subsets to an evaluated, tracked study."""

from snakemake.utils import min_version

min_version("9.20")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/volumes.smk"
include: "workflow/rules/detector.smk"
include: "workflow/rules/candidates.smk"
include: "workflow/rules/scorer.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/malignancy.smk"
include: "workflow/rules/final.smk"


wildcard_constraints:
    subset=r"\d+",
    fold=r"\d+",


rule all:
    default_target: True
    input:
        f"{R}/report.html",
        f"{R}/evaluation/evaluation.json",
        f"{D}/volumes/accounting.csv",


rule final_model:
    input:
        [f"{MODEL_FOLDER}/{name}" for name in MODEL_FILES],


rule final_bundle:
    input:
        f"{MODEL_FOLDER}.lungpipe",


onstart:
    begin_run()


onsuccess:
    end_run("FINISHED")


onerror:
    end_run("FAILED")
