"""The nine characteristics that LIDC-IDRI's readers rate, and the text form of ratings."""

CHARACTERISTICS = {
    "malignancy": 5,
    "subtlety": 5,
    "internal_structure": 5,
    "calcification": 6,
    "sphericity": 5,
    "margin": 5,
    "lobulation": 5,
    "spiculation": 5,
    "texture": 5,
}
"""Highest rating of each characteristic; the lowest is 1 (LIDC-IDRI's annotation schema)."""
MAX_RATING = max(CHARACTERISTICS.values())
RATING_COLUMNS = {name: f"{name}_ratings" for name in CHARACTERISTICS}
"""Column of each characteristic in a table of ratings."""
EXPECTED_RATING_COLUMNS = {name: f"rating_{name}" for name in CHARACTERISTICS}
"""Column of the expected rating of each characteristic in the CSV files of `predict` and `score`."""


def parse_ratings(text: str) -> tuple[int, ...]:
    """Return the ratings of a text such as '4;3;5', one per reader.

    Raises:
        ValueError: a part that is not a whole number.
    """
    return tuple(int(part) for part in text.split(";"))


def ratings_pattern(highest: int) -> str:
    """Return the regular expression of a text of ratings from 1 to `highest` (one digit each), such as '4;3;5'."""
    return f"[1-{highest}](;[1-{highest}])*"
