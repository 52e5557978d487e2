import shlex

from lungpipe.services.commands import shown_path, study_command


def test_the_command_has_the_commit_the_studies_and_the_given_values():
    text = study_command("0123abc", ["studies/ci.yaml"], {"seed": 7, "recipe": "patch48", "folds": [0, 2]})
    checkout, run = text.splitlines()
    assert checkout == "git checkout 0123abc"
    assert shlex.split(run) == [
        *("snakemake", "--cores", "8", "--configfile", "studies/ci.yaml"),
        *("--config", "seed=7", "recipe=patch48", "folds=[0, 2]"),
    ]


def test_a_changed_checkout_is_named_and_an_unknown_commit_is_left_out():
    assert study_command("0123abc+dirty", [], {}).splitlines()[0].startswith("git checkout 0123abc    # and changes")
    assert study_command("unknown", [], {}) == "snakemake --cores 8\n"


def test_paths_and_servers_are_left_out():
    config = {
        "results_dir": "/private/place",
        "tracking": {"uri": "http://private.example"},
        "dataset": {"root": "/private/place", "name": "a"},
    }
    assert study_command("unknown", [], config) == """snakemake --cores 8 --config 'dataset={"name": "a"}'\n"""
    whole = {"dataset": {"whole_scans": {"1.2.3": "/private/place"}}}
    assert study_command("unknown", [], whole) == "snakemake --cores 8\n"


def test_files_elsewhere_are_shown_by_their_name(tmp_path):
    assert shown_path(tmp_path / "studies" / "a.yaml", tmp_path) == "studies/a.yaml"
    assert shown_path(tmp_path / "a.yaml", tmp_path / "b") == "a.yaml"
