"""The error of a file that somebody else wrote."""


class InputError(ValueError):
    """Input that cannot be used; the message names the file or table, the row and the column."""
