"""The model that is part of the package, a folder beside this file; the package may be without one."""

from importlib.resources import files
from pathlib import Path

DETECTOR_FILE, SCORER_FILE = "detector.safetensors", "scorer.safetensors"
"""The files of a model's folder; one without a scorer has no second file."""
SHIPPED_MODEL = "lungpipe-luna16-crops"
NO_MODEL = (
    "expected a trained model, found none: this lungpipe has none in its package; every study trains one for each of "
    "its folds (snakemake --cores 8 writes results/phantom/flagship/fold0/detector.safetensors and scorer.safetensors)"
)


def find_shipped_model() -> Path | None:
    """Return the folder of the model in the package, or None if the package has none."""
    folder = Path(str(files("lungpipe.shipped"))) / SHIPPED_MODEL
    return folder if (folder / DETECTOR_FILE).is_file() else None


def require_shipped_model() -> Path:
    """Return the folder of the model in the package.

    Raises:
        ValueError: the package has no model.
    """
    folder = find_shipped_model()
    if folder is None:
        raise ValueError(f"model: {NO_MODEL}")
    return folder
