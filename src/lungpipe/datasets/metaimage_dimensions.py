"""Headers of four dimensions whose last has one element, as some programs write a single volume."""

from collections.abc import Mapping

_LENGTHS = ("DimSize", "ElementSpacing", "ElementSize", "Offset", "Position", "Origin")
_MATRICES = ("TransformMatrix", "Rotation", "Orientation")


def drop_last_dimension(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of the one volume in an image of four dimensions; other fields unchanged.

    A matrix is reduced to its upper left part if the last axis is perpendicular to the others. What is not written as
    four numbers is left as it is, so that the checks of three dimensions refuse it by name.
    """
    reduced = dict(fields)
    sizes = fields.get("DimSize", "").split()
    if fields.get("NDims") != "4" or len(sizes) != 4 or sizes[3] != "1":
        return reduced
    reduced["NDims"] = "3"
    for key in _LENGTHS:
        words = fields.get(key, "").split()
        if len(words) == 4:
            reduced[key] = " ".join(words[:3])
    for key in _MATRICES:
        words = fields.get(key, "").split()
        rows = [words[start : start + 4] for start in range(0, 16, 4)]
        if len(words) == 16 and all(_is_zero(word) for word in (*rows[3][:3], *(row[3] for row in rows[:3]))):
            reduced[key] = " ".join(word for row in rows[:3] for word in row[:3])
    return reduced


def _is_zero(word: str) -> bool:
    try:
        return float(word) == 0
    except ValueError:
        return False
