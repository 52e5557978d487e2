"""The error of everything that cannot be tracked."""


class TrackingError(RuntimeError):
    """Something that cannot be tracked; the message says what was expected and what was found."""
