import numpy as np

from lungpipe.phantom.plan import plan_scans, planned_files, series_uid
from lungpipe.settings import PhantomSettings

DEFAULT = PhantomSettings()


def test_uids_are_dicom_uids_under_the_uuid_root_and_all_different():
    uids = [series_uid(2016, index) for index in range(500)]
    assert len(set(uids)) == 500
    for uid in uids:
        root, number = uid.rsplit(".", 1)
        assert root == "2.25"
        assert 0 < int(number) < 2**128
        assert str(int(number)) == number  # DICOM allows no leading zero in a component
        assert len(uid) <= 64


def test_uid_depends_on_seed_and_index_only():
    assert series_uid(1, 2) == series_uid(1, 2)
    assert series_uid(1, 2) != series_uid(2, 2)
    assert series_uid(1, 12) != series_uid(11, 2)


def test_planned_files_touch_nothing(tmp_path):
    files = planned_files(tmp_path / "phantom", DEFAULT, 10)
    assert list(files) == list(range(10))
    assert all(len(paths) == 8 for paths in files.values())
    assert all(path.parent == tmp_path / "phantom" / f"subset{k}" for k, paths in files.items() for path in paths)
    assert list(tmp_path.iterdir()) == []


def test_subsets_2_and_6_share_one_patient_and_no_other_two_do():
    scans = plan_scans(DEFAULT, 10)
    by_patient: dict[str, list[int]] = {}
    for scan in scans:
        by_patient.setdefault(scan.patient_id, []).append(scan.subset)
    assert [subsets for subsets in by_patient.values() if len(subsets) > 1] == [[2, 6]]
    assert len(by_patient) == 39


def test_with_fewer_subsets_the_second_scan_lies_in_the_last():
    scans = plan_scans(DEFAULT, 5)
    assert [s.subset for s in scans if s.patient_id == scans[8].patient_id] == [2, 4]


def test_three_subsets_leave_no_second_subset_for_the_pair():
    scans = plan_scans(DEFAULT, 3)
    assert len({s.patient_id for s in scans}) == len(scans)


def test_most_subsets_hold_a_scan_without_nodules_and_every_subset_one_with():
    scans = plan_scans(DEFAULT, 10)
    empty = {s.subset for s in scans if not s.has_nodules}
    assert empty == {0, 1, 2, 4, 5, 6, 7, 9}
    assert {s.subset for s in scans if s.has_nodules} == set(range(10))


def test_scans_of_one_patient_agree_on_having_nodules():
    for per_subset in (1, 2, 4):
        scans = plan_scans(PhantomSettings(scans_per_subset=per_subset), 10)
        pair = [s for s in scans if s.patient_id == scans[2 * per_subset].patient_id]
        assert [s.has_nodules for s in pair] == [True, True]


def test_a_fifth_of_the_scans_is_stored_flipped():
    scans = plan_scans(DEFAULT, 10)
    assert [s.index for s in scans if s.is_flipped] == [4, 9, 14, 19, 24, 29, 34, 39]


def test_generators_follow_patient_and_scan():
    scans = plan_scans(DEFAULT, 10)
    first, second = scans[8], scans[24]
    same = [scan.patient_rng().random(4) for scan in (first, second)]
    own = [scan.scan_rng().random(4) for scan in (first, second)]
    np.testing.assert_array_equal(*same)
    assert not np.array_equal(*own)
    assert not np.array_equal(same[0], own[0])
