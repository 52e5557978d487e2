from typing import get_args

from lungpipe.reporting.wording import interval, label_rule, number, without_identifiers
from lungpipe.settings.study import MalignancyRule


def test_numbers_and_intervals_have_three_digits_and_say_when_there_are_none():
    assert number(0.70349) == "0.703"
    assert number(None) == "not defined"
    assert interval([0.1, 0.25]) == "0.100 to 0.250"
    assert interval([None, None]) == interval(None) == interval([0.1, None]) == "not defined"


def test_every_rule_of_the_settings_reads_as_words():
    texts = {label_rule(name) for name in get_args(MalignancyRule)}
    assert len(texts) == 4
    assert not any("_" in text for text in texts)


def test_a_warning_keeps_its_sentence_and_loses_its_list_of_series():
    text = "scans_without_predictions: 2 of 3 listed scans have no mark (missed): case-a, case-b and 4 more"
    assert without_identifiers(text, []) == "scans_without_predictions: 2 of 3 listed scans have no mark (missed)"


def test_uids_and_patients_anywhere_are_left_out_and_numbers_are_kept():
    text = "other: probabilities from 0.5 to 1.25 in 2.25.1234 of LIDC-IDRI-0001 and not of LIDC-IDRI-00012"
    kept = without_identifiers(text, ["LIDC-IDRI-0001", "LIDC"])
    assert kept == "other: probabilities from 0.5 to 1.25 in (left out) of (left out) and not of LIDC-IDRI-00012"
