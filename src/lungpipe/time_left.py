"""The time that the rest of a number of equal parts is expected to take."""

SHORTEST_SECONDS = 2.0
"""Less is not worth a word."""
SPEED_PERIOD_S = 3600.0
"""A bar's time left follows from the speed of the last hour. By default it follows from the last half minute, in which
a training on a slow machine advances once or not at all: the bar would show no time."""


def time_left(seconds: float, num_done: int, num_parts: int) -> str:
    """Return the end of a progress line, such as `, about 3 min left`; nothing if little or nothing is left.

    `seconds` passed for the first `num_done` of `num_parts` parts. Every part is taken to last as long as those.
    """
    left = seconds / num_done * (num_parts - num_done)
    if left < SHORTEST_SECONDS:
        return ""
    if left < 90:
        return f", about {left:.0f} s left"
    if left < 90 * 60:
        return f", about {left / 60:.0f} min left"
    return f", about {left / 3600:.1f} h left"
