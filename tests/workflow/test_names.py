"""A study of another name lives beside the first, on the same volumes."""


def test_a_variant_under_a_name_trains_anew_and_shares_scans_and_volumes(copy):
    planned = copy.plan("--config", "name=variant", "seed=7")
    rules = {job.rule for job in planned.jobs}
    assert {"train_detector", "train_scorer", "evaluate_study", "write_report"} <= rules
    assert rules.isdisjoint({"write_phantom", "prepare_subset", "check_subset", "collect_targets", "account_scans"})
    outputs = [path for job in planned.jobs for path in job.outputs]
    assert outputs
    assert all(path.startswith("results/ci/variant/") for path in outputs)


def test_the_same_variant_without_a_name_would_replace_the_results(copy):
    outputs = [path for job in copy.plan("--config", "seed=7").jobs for path in job.outputs]
    assert "results/ci/flagship/evaluation/evaluation.json" in outputs
