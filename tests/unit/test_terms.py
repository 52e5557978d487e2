"""Words that several rooms share."""

from lungpipe.terms import NO_BREAK, counted


def test_counts_have_their_noun_and_groups_from_five_digits_on():
    assert counted(1, "scan") == "1 scan"
    assert counted(0, "scan") == "0 scans"
    assert counted(1135, "false positive") == "1135 false positives"
    assert counted(551065, "mark") == f"551{NO_BREAK}065 marks"
