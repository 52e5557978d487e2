"""What a person reads at the terminal."""

from pathlib import Path

import pytest

from lungpipe.cli.evaluation_text import print_comparison, print_evaluation, print_warnings

RATES = ("0.125", "8")
COUNTS = ("num_scans", "num_nodules", "num_candidates", "true_positives", "false_positives", "false_negatives")


@pytest.fixture
def report():
    return {
        **dict.fromkeys((*COUNTS, "ignored_on_excluded", "ignored_double"), 7),
        "cpm": 0.84197,
        "cpm_ci95": [0.8, 0.9],
        "sensitivity": dict.fromkeys(RATES, 0.5),
        "sensitivity_ci95": {key: [0.4, 0.6] for key in RATES},
        "bootstrap": {"num_samples": 10},
        "strata": {"texture": [{"name": "solid", "num_nodules": 3, "num_hit": 2, "cpm": 0.25}]},
        "warnings": ["ties_at_cut: [bold]in 2 scans[/bold]"],
    }


def test_a_verdict_shows_figures_counts_strata_and_place(report, capsys):
    print_evaluation(report, Path("some/folder"), "listed in series.csv")
    shown = capsys.readouterr()
    for text in ("0.84197", "0.8000 to 0.9000", "0.4000 to 0.6000", "ignored on excluded  7", "solid", "some/folder"):
        assert text in shown.out
    assert shown.err == ""


def test_warnings_are_shown_as_they_are_apart_from_the_figures(report, capsys):
    print_warnings(report["warnings"])
    shown = capsys.readouterr()
    # a warning is shown as it is: brackets in it are no markup
    assert (shown.out, shown.err) == ("", "WARNING ties_at_cut: [bold]in 2 scans[/bold]\n")


def test_the_first_line_says_what_false_positives_are_divided_by(report, capsys):
    print_evaluation(report, Path("some/folder"), "listed in series.csv")
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "false positives are divided by 7 scans listed in series.csv; 7 nodules"


def test_what_is_not_defined_is_called_so(report, capsys):
    nothing = report | {"cpm": None, "cpm_ci95": [None, None]}
    print_evaluation(nothing, Path("out"), "that the files name")
    assert "not defined to not defined" in capsys.readouterr().out


def test_a_comparison_shows_difference_interval_and_p(capsys):
    row = {"difference": -0.0123, "low": -0.02, "high": -0.004, "p_value": 0.006}
    both = {f"cpm_{side}": 0.8 for side in "ab"} | {f"cpm_ci95_{side}": [0.7, 0.9] for side in "ab"}
    report = {**both, "num_scans": 888, "sensitivity_difference": {"1": row}, "cpm_difference": row, "warnings": []}
    print_comparison(report, "first.csv", "second.csv")
    shown = capsys.readouterr()
    assert "-0.0123" in shown.out
    assert "-0.0200 to -0.0040" in shown.out
    assert "0.0060" in shown.out
    assert "B: CPM 0.80000 (0.7000 to 0.9000)  second.csv" in shown.out
    assert shown.err == ""
