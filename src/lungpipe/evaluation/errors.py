"""The ways in which the judge refuses."""


class InputError(ValueError):
    """Input that cannot be judged; the message names the file or table, the row and the column."""
