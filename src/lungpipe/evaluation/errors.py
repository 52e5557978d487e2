"""The ways in which the judge refuses."""


class InputError(ValueError):
    """Input that cannot be judged; the message names the file or table, the row and the column."""


class LeakError(ValueError):
    """A result that would have seen what it is judged on; the message names the scan, the patient or the subset."""
