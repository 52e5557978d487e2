"""The model that MLflow loads from its registry: scans in, results in the published format out.

MLflow keeps this file as source text and runs it where the model is loaded; nothing of the model is pickled. The bundle
of the model is an artifact. lungpipe must be installed where the model is loaded.
"""

import base64
import binascii
import tempfile
from pathlib import Path
from typing import Any

import mlflow.models
import mlflow.pyfunc
import pandas as pd

import lungpipe
from lungpipe.prediction.document import Refusal, Result, to_document
from lungpipe.prediction.limits import RefusedScanError
from lungpipe.prediction.privacy import without_identifiers

ENDINGS = (".nii.gz", ".nii", ".mha", ".zip")
"""Scans in one file: NIfTI, MetaImage, or DICOM in an archive."""


class ScanModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Finds nodules in scans; a row of the input is a scan.

    Input: `file_name` (its ending names the format), `content` (the file in base64). Params: `threshold` (probability
    from which candidates are returned), `is_whole` (search the whole volume, for crops). Output: `status` (done or
    refused) and `result` (JSON, docs/result.schema.json). A row that cannot be used is refused; the others go on.
    """

    def load_context(self, context: Any) -> None:
        """Load the bundle once, for any number of requests."""
        self._model = lungpipe.load_model(context.artifacts["bundle"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return status and result of each row."""
        options = {"threshold": 0.5, "is_whole": False, **(params or {})}
        documents = [self._predict(row["file_name"], row["content"], options) for row in model_input.to_dict("records")]
        rows = [{"status": document.status, "result": document.model_dump_json()} for document in documents]
        return pd.DataFrame(rows, columns=["status", "result"])

    def _predict(self, file_name: str, content: str, options: dict[str, Any]) -> Result | Refusal:
        ending = next((one for one in ENDINGS if str(file_name).lower().endswith(one)), None)
        if ending is None:
            return Refusal(reason="unusable", message=f"file_name: expected an ending of {', '.join(ENDINGS)}")
        try:
            decoded = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError) as error:
            return Refusal(reason="unusable", message=f"content: expected base64, found {error}")
        with tempfile.TemporaryDirectory(prefix="lungpipe-") as folder:
            # the name that was sent may be that of a patient, or a path
            path = Path(folder) / f"scan{ending}"
            path.write_bytes(decoded)
            try:
                found = lungpipe.predict(path, model=self._model, **options)
            except RefusedScanError as error:
                return Refusal(reason=error.reason, message=without_identifiers(str(error), path))
            return to_document(found, self._model, source=path)


mlflow.models.set_model(ScanModel())
