"""What every rule of the workflow keeps to."""

import ast
import re
from pathlib import Path

from lungpipe.services.provenance import source_tree

WILDCARDS = {"subset", "fold"}


def fingerprinted(rule) -> str:
    """The script or notebook whose fingerprint is the rule's `code=`."""
    call = rule.named("params")["code"]
    expected = "notebook_code" if is_notebook(rule) else "code_of"
    assert isinstance(call, ast.Call), f"{rule.name}: expected code={expected}(...)"
    assert ast.unparse(call.func) == expected, f"{rule.name}: expected code={expected}(...)"
    return ast.literal_eval(call.args[0])


def built(rule) -> list[str]:
    """The settings whose code a rule's fingerprint names by what they build: code=code_of("...", *built(...))."""
    call = rule.named("params")["code"]
    assert isinstance(call, ast.Call)
    calls = [argument.value for argument in call.args if isinstance(argument, ast.Starred)]
    assert all(isinstance(one, ast.Call) and ast.unparse(one.func) == "built" for one in calls), rule.name
    return [ast.unparse(argument) for one in calls for argument in one.args]


def script(rule) -> Path:
    return rule.file.parent / ast.literal_eval(rule.entries("script").args[0])


def is_notebook(rule) -> bool:
    return "notebook" in rule.directives


def notebook_name(rule) -> str:
    """The name of a notebook: `demo` for the rule `execute_demo`."""
    assert rule.name.startswith("execute_"), f"{rule.name}: expected execute_<notebook>"
    return rule.name.removeprefix("execute_")


def test_there_are_rules_and_each_name_is_used_once(rules) -> None:
    names = [rule.name for rule in rules]
    assert len(names) > 10
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", name) for name in names), "expected verb_noun"


def test_every_rule_has_its_parts(rules) -> None:
    for rule in rules:
        missing = {"output", "log", "benchmark", "params"} - set(rule.directives)
        assert not missing, f"{rule.name}: {missing}"
        found = {"script", "notebook", "run", "shell"} & set(rule.directives)
        assert found in ({"script"}, {"notebook"}), f"{rule.name}: expected a script or a notebook"


def test_inputs_outputs_and_params_are_named(rules) -> None:
    for rule in rules:
        for directive in {"input", "output", "params"} & set(rule.directives):
            entries = rule.entries(directive)
            assert not entries.args, f"{rule.name}: {directive}: {ast.unparse(entries.args[0])} has no name"
            assert all(keyword.arg for keyword in entries.keywords), f"{rule.name}: {directive}"


def test_the_run_that_a_rule_logs_to_is_no_input(rules) -> None:
    for rule in rules:
        assert "tracking/" not in rule.directives.get("input", ""), rule.name


def test_no_rule_ignores_the_age_of_an_input(rules) -> None:
    # Snakemake (9.27) looks for changed params only in jobs that no job before them is rerun for; behind an ancient
    # input it then runs none of them, and a changed setting leaves old results that look new
    for rule in rules:
        assert "ancient(" not in rule.directives.get("input", ""), rule.name


def test_script_log_and_benchmark_bear_the_name_of_the_rule(rules) -> None:
    for rule in rules:
        if is_notebook(rule):
            name = notebook_name(rule)
            assert ast.literal_eval(rule.entries("notebook").args[0]) == f"../notebooks/{name}.ipynb"
            assert ast.unparse(rule.named("log")["notebook"]) == f"f'{{R}}/notebooks/{name}.ipynb'"
        else:
            assert ast.literal_eval(rule.entries("script").args[0]) == f"../scripts/{rule.name}.py"
            assert re.search(rf"/logs/{rule.name}(/[^/]+)?\.log$", rule.pattern("log")), rule.name
        assert re.search(rf"/benchmarks/{rule.name}(/[^/]+)?\.tsv$", rule.pattern("benchmark")), rule.name


def test_the_only_wildcards_are_subset_and_fold(rules) -> None:
    for rule in rules:
        for directive in ("output", "log", "benchmark"):
            text = re.sub(r"(expand|lambda).*", "", rule.directives[directive])
            assert set(re.findall(r"\{\{(\w+)\}\}", text)) <= WILDCARDS, f"{rule.name}: {directive}"


def test_every_script_belongs_to_a_rule_and_is_a_doorway(rules, root: Path) -> None:
    scripts = sorted((root / "workflow" / "scripts").glob("*.py"))
    assert {path.stem for path in scripts} == {rule.name for rule in rules if not is_notebook(rule)}
    notebooks = {path.stem for path in (root / "workflow" / "notebooks").iterdir()}
    assert notebooks == {notebook_name(rule) for rule in rules if is_notebook(rule)}
    for path in scripts:
        text = path.read_text()
        assert len(text.splitlines()) <= 30, path.name
        # config is not tracked per rule: a changed value would not rerun anything
        assert "snakemake.config" not in text, path.name


def test_the_fingerprint_of_a_rule_is_that_of_its_own_script(rules) -> None:
    named = {rule.name: notebook_name(rule) if is_notebook(rule) else rule.name for rule in rules}
    assert {rule.name: fingerprinted(rule) for rule in rules} == named


def test_every_reader_that_preparation_does_not_use_is_left_out_of_its_fingerprint() -> None:
    tree = source_tree()
    entries = ["lungpipe.preparation.volume:prepare_volume", "lungpipe.datasets.metaimage:read_metaimage"]
    placing = ["lungpipe.tables.atomic:naming", "lungpipe.volumes.place"]
    modules = {module.removeprefix("lungpipe.") for module, _ in tree.closure(entries, placing)}
    assert {"datasets.metaimage", "lungs.segment", "resampling.separable", "volumes.arrays"} <= modules
    others = ("datasets.dicom", "datasets.nifti", "preparation.qc", "tables", "volumes.place")
    others += ("cli", "reporting", "services")
    assert not [module for module in modules if module.startswith(others)]


def test_code_that_arranges_a_preparation_is_left_out_of_its_fingerprint(rules) -> None:
    # an edit of it would plan all preparation, and all training behind it
    rule = next(rule for rule in rules if rule.name == "prepare_subset")
    (aside,) = (part.value for part in rule.named("params")["code"].keywords if part.arg == "aside")
    assert ast.unparse(aside) == "[WORKERS, MEMORY, *ARRANGING]"


def test_a_rule_that_trains_or_applies_a_part_names_the_code_of_its_settings(rules) -> None:
    found = {rule.name: built(rule) for rule in rules if built(rule)}
    assert found == {
        "train_detector": ["STUDY.detector.network", "STUDY.detector.training.objective", "*searches()"],
        "mine_candidates": ["STUDY.detector.network", "STUDY.detector.inference.decode"],
        "detect_candidates": ["STUDY.detector.network", "STUDY.detector.inference.decode"],
        "train_scorer": ["STUDY.scorer.network", "*mask_networks()", "STUDY.scorer.training.objective"],
        "score_candidates": ["STUDY.scorer.network", "*mask_networks()"],
        "rate_nodules": ["STUDY.scorer.network", "*mask_networks()"],
        "train_final_detector": ["STUDY.detector.network", "STUDY.detector.training.objective", "*searches()"],
        "mine_final_candidates": ["STUDY.detector.network", "STUDY.detector.inference.decode"],
        "train_final_scorer": ["STUDY.scorer.network", "*mask_networks()", "STUDY.scorer.training.objective"],
    }


def test_a_rule_file_is_short_and_the_snakefile_a_corridor(rules, root: Path) -> None:
    files = [rule.file for rule in rules]
    assert max(files.count(file) for file in files) <= 5
    assert len((root / "Snakefile").read_text().splitlines()) <= 60
    assert not re.search(r"^\s+(run|shell):", (root / "Snakefile").read_text(), re.MULTILINE)


def test_rules_are_parsed_as_they_are_written(parse_text) -> None:
    text = """
if True:

    rule cut_cake:
        input:
            cake=lambda w: f"{D}/cake.txt",
            # why
            knife="a",
        output: piece="b"
        log:
            f"{D}/logs/cut_cake/subset{{subset}}.log",
        params:
            code=code_of("cut_cake", NETWORK),

rule eat_cake:
    input:
        "c",
    output:
        x="d",
x = 1
"""
    first, second = parse_text(Path("x.smk"), text)
    assert (first.name, second.name) == ("cut_cake", "eat_cake")
    assert list(first.named("input")) == ["cake", "knife"]
    assert list(first.named("output")) == ["piece"]
    assert first.pattern("log") == "{D}/logs/cut_cake/subset{subset}.log"
    assert fingerprinted(first) == "cut_cake"
    assert len(second.entries("input").args) == 1
    assert set(second.directives) == {"input", "output"}


def test_a_stopped_training_goes_on_only_with_unchanged_inputs(rules) -> None:
    trainings = [rule for rule in rules if rule.name.startswith("train_")]
    assert len(trainings) == 4
    for rule in trainings:
        # the models of the folds are none of the data; what they chose is part of the identity
        files = "{*snakemake.input} - {*snakemake.input.folds}" if "final" in rule.name else "snakemake.input"
        assert f"file_digest(map(Path, {files}))" in script(rule).read_text(), f"{rule.name}: the digest of all inputs"
