"""The error of malformed input."""


class InputError(ValueError):
    """Input that cannot be used; the message names the file or table, the row and the column."""
