"""The error of tracking."""


class TrackingError(RuntimeError):
    """Tracking is not possible; the message states what was expected and what was found."""
