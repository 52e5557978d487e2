"""Constants and words that several rooms share."""

AIR_HU = -1024
"""HU outside a scan."""
NO_BREAK = "\N{NO-BREAK SPACE}"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 scan`, `3 scans`; from five digits on in groups of three."""
    digits = f"{count:,}".replace(",", NO_BREAK) if count >= 10_000 else str(count)
    return f"{digits} {noun}{'' if count == 1 else 's'}"
