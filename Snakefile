"""lungpipe: from the ten LUNA16 subsets to an evaluated, tracked study."""

from snakemake.utils import min_version

min_version("9.20")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


RULES = "common dataset volumes detector candidates scorer evaluation malignancy final notebooks targets runs"

for name in RULES.split():

    include: f"workflow/rules/{name}.smk"


wildcard_constraints:
    subset=r"\d+",
    fold=r"\d+",


rule all:
    default_target: True
    input:
        outputs_of(*STAGES, *PAGE_STAGES),


rule final_model:
    input:
        lambda wildcards: final_files([f"{MODEL_FOLDER}/{name}" for name in MODEL_FILES]),


rule final_bundle:
    input:
        lambda wildcards: final_files([f"{MODEL_FOLDER}.lungpipe"]),


rule notebooks:
    input:
        [f"{R}/notebooks/{name}.csv" for name in notebook_names()],
        outputs_of(*STAGES),


refuse_targets(each.name for each in workflow.rules if workflow.is_main_process)


onstart:
    begin_run()


onsuccess:
    end_run("FINISHED")


onerror:
    end_run("FAILED")
