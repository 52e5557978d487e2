from lungpipe.evaluation.whole_scans import whole_scan_table
from lungpipe.reporting.whole_scan_table import whole_scans_table


def test_a_scan_is_a_number_with_its_counts(tables):
    uid = tables.series["series_uid"].iloc[0]
    table = whole_scans_table(whole_scan_table(tables, [uid], [0]))
    assert table.headings[:4] == ("Scan", "Fold", "Nodules", "Found")
    # the detector alone ranks a false positive above the nodule
    at_counts = ("1 (detector alone: 0)", *["1 (detector alone: 1)"] * 4)
    assert table.rows == (("1", "0", "1", "1", "1", "1", *at_counts),)
    assert len(table.headings) == len(table.rows[0])


def test_without_whole_scans_there_is_no_table(tables):
    assert whole_scans_table(whole_scan_table(tables, [], [0])) is None
