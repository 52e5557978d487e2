"""lungpipe: from raw LUNA16 scans to a study that is evaluated by the official rules."""


def __getattr__(name: str) -> str:
    """Return `__version__`, read from the installed package only when it is asked for: jobs start without it."""
    if name == "__version__":
        from importlib.metadata import version

        return version("lungpipe")
    raise AttributeError(f"module 'lungpipe' has no attribute {name!r}")
