"""Register a bundle in MLflow's model registry, as a model that MLflow serves."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.tables.errors import InputError
from lungpipe.tables.json_input import read_json_object

DIGEST_TAG = "lungpipe.model_sha256"


def register_bundle(client: Any, run_id: str, line: dict[str, Any], folder: Path) -> None:
    """Log the bundle of a record's line on a run and register it as a version; a second call changes nothing.

    `line` has the model's `name`, and relative to `folder` the paths `bundle`, `code` (which MLflow runs) and `example`
    (JSON of a request). The digest of bundle and code is a tag of the version, by which it
    is found again.

    Raises:
        TrackingError: a file that is missing, or an example that is no request.
        mlflow.exceptions.MlflowException: the store does not take it.
    """
    paths = {key: (folder / line[key]).resolve() for key in ("bundle", "code", "example")}
    for path in paths.values():
        if not path.is_file():
            raise TrackingError(f"{path}: expected a file of the model to register, found none")
    name, digest = line["name"], _digest(paths["bundle"], paths["code"])
    # versions are compared here: the stores' languages for queries differ in what they search by tags
    if any(each.tags.get(DIGEST_TAG) == digest for each in client.search_model_versions(f"name = '{name}'")):
        return
    tags = {DIGEST_TAG: digest, "lungpipe.version": version("lungpipe")}
    with _store_of(client):
        logged = _log_model(run_id, paths)
        _ensure_model(client, name)
        client.create_model_version(name, logged.model_uri, run_id=run_id, tags=tags, model_id=logged.model_id)


@contextmanager
def _store_of(client: Any) -> Iterator[None]:
    """Make the client's store MLflow's own: parts of the registry look there alone."""
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(client.tracking_uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def _log_model(run_id: str, paths: dict[str, Path]) -> Any:
    import mlflow
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    example = _read_example(paths["example"])
    params = [ParamSpec("threshold", DataType.double, 0.5), ParamSpec("is_whole", DataType.boolean, False)]
    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "file_name"), ColSpec(DataType.string, "content")]),
        outputs=Schema([ColSpec(DataType.string, "status"), ColSpec(DataType.string, "result")]),
        params=ParamSchema(params),
    )
    with mlflow.start_run(run_id=run_id):
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(paths["code"]),
            artifacts={"bundle": str(paths["bundle"])},
            signature=signature,
            input_example=(pd.DataFrame(example["columns"]), example["params"]),
            pip_requirements=[f"lungpipe=={version('lungpipe')}"],
            metadata={"notice": "Research use only, not a medical device"},
        )


def _read_example(path: Path) -> dict[str, Any]:
    try:
        example = read_json_object(path, "an example of a request")
    except InputError as error:
        raise TrackingError(str(error)) from None
    if not {"columns", "params"} <= set(example):
        raise TrackingError(f"{path}: expected columns and params of a request, found {', '.join(example) or 'none'}")
    return example


def _ensure_model(client: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="Lung nodules in chest CT. Research use only.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
