"""lungpipe: from raw LUNA16 scans to a study that is evaluated by the official rules; nodules of a new patient's scan.

import lungpipe
model = lungpipe.load_model("results/phantom/flagship/fold0")
prediction = lungpipe.predict("scan.mhd", model=model)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lungpipe.datasets.scan import Scan
    from lungpipe.geometry import Grid
    from lungpipe.prediction.limits import RefusedScanError
    from lungpipe.prediction.model import LoadedModel, load_model
    from lungpipe.prediction.predict import predict
    from lungpipe.prediction.result import Candidate, Prediction
    from lungpipe.prediction.source import make_scan

_MODULES = {
    "Candidate": "lungpipe.prediction.result",
    "Grid": "lungpipe.geometry",
    "LoadedModel": "lungpipe.prediction.model",
    "Prediction": "lungpipe.prediction.result",
    "RefusedScanError": "lungpipe.prediction.limits",
    "Scan": "lungpipe.datasets.scan",
    "load_model": "lungpipe.prediction.model",
    "make_scan": "lungpipe.prediction.source",
    "predict": "lungpipe.prediction.predict",
}
__all__ = [
    "Candidate",
    "Grid",
    "LoadedModel",
    "Prediction",
    "RefusedScanError",
    "Scan",
    "load_model",
    "make_scan",
    "predict",
]


def __getattr__(name: str) -> Any:
    """Return `__version__` or a part of the Python interface, imported when it is asked for: jobs start without it."""
    from importlib import import_module
    from importlib.metadata import version

    if name == "__version__":
        return version("lungpipe")
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'lungpipe' has no attribute {name!r}")
