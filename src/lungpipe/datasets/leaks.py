"""Refuse leaks: training and testing on the same scan or patient, and choices on the test subset."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


class LeakError(ValueError):
    """A leak of test data into training or choices; the message names the scan, the patient or the subset."""


def refuse_overlap(train_uids: Iterable[str], test_uids: Iterable[str], patient_of: Mapping[str, str]) -> None:
    """Check that no scan and no patient is both in training and in testing.

    Raises:
        LeakError: a series in both, two series of one patient, or a series without a known patient.
    """
    train, test = set(train_uids), set(test_uids)
    if shared := sorted(train & test):
        raise LeakError(f"series {shared[0]}: expected in training or in testing, found in both ({len(shared)} such)")
    if unknown := sorted(uid for uid in train | test if uid not in patient_of):
        raise LeakError(f"series {unknown[0]}: expected its patient, found none ({len(unknown)} such)")
    trained = {patient_of[uid]: uid for uid in sorted(train)}
    for uid in sorted(test):
        patient = patient_of[uid]
        if patient in trained:
            found = f"series {trained[patient]} in training and {uid} in testing"
            raise LeakError(f"patient {patient}: expected on one side, found {found}")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A number that was chosen on data (a threshold, a calibration's coefficient), and the subsets it was chosen on."""

    name: str
    value: float
    chosen_on: frozenset[int]

    def __post_init__(self) -> None:
        if not self.chosen_on:
            raise LeakError(f"{self.name}: expected the subsets that it was chosen on, found none")

    def for_subset(self, test_subset: int) -> float:
        """Return the value for the evaluation of a subset; raises LeakError if it was chosen on that subset."""
        if test_subset in self.chosen_on:
            found = sorted(self.chosen_on)
            raise LeakError(f"{self.name}: expected to be chosen on other subsets than {test_subset}, found {found}")
        return self.value
