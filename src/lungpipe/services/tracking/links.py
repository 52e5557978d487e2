"""Where the runs of a study are shown."""

from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit, urlunsplit

from lungpipe.services.tracking.current import EXPERIMENT
from lungpipe.services.tracking.views import STUDIES, TRAININGS, run_link, view_link
from lungpipe.tables import read_json_object
from lungpipe.tables.errors import InputError

DEFAULT_STORE = "sqlite:///results/mlflow.db"
"""The store that `make ui` shows."""
LOCAL_SERVER = "http://127.0.0.1:5000"


class RunLinks(TypedDict):
    """Where MLflow shows the runs of a study.

    `study` is the address of the study's run, with figures, pictures and the runs of all steps; `studies` and
    `trainings` are lists of the dataset's runs. `serve` is the command that shows a local store, None for a server.
    """

    study: str
    studies: str
    trainings: str
    serve: str | None


def find_runs(folder: Path, *, is_store_named: bool = True) -> RunLinks | None:
    """Return the links to a study's runs; None where nothing was sent.

    `folder` is the study's tracking folder. A user's name is left out of addresses. Without `is_store_named` the
    command has a placeholder for the path of a store that is not the default one.

    Raises:
        InputError: a file of another content; the message names the file.
    """
    path = folder / EXPERIMENT
    if not path.is_file():
        return None
    place = read_json_object(path, "the store, the experiment and the run of a study")
    if wrong := [key for key in ("uri", "experiment") if not isinstance(place.get(key), str)]:
        raise InputError(f"{path}: expected a text for {wrong[0]}, found {place.get(wrong[0])!r}")
    server, serve = _server(place["uri"], is_store_named=is_store_named)
    experiment, run = place["experiment"], place.get("run")
    studies, trainings = (f"{server}/{view_link(experiment, key)}" for key in (STUDIES, TRAININGS))
    # a folder of an earlier version does not name the run
    study = f"{server}/{run_link(experiment, run)}" if run else studies
    return {"study": study, "studies": studies, "trainings": trainings, "serve": serve}


def _server(uri: str, *, is_store_named: bool) -> tuple[str, str | None]:
    """Return the address of the server of a store, and the command that starts it for a local store."""
    if uri.startswith(("http://", "https://")):
        parts = urlsplit(uri)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/"), None
    named = uri if is_store_named else "<the study's store>"
    return LOCAL_SERVER, "make ui" + ("" if uri == DEFAULT_STORE else f" STORE={named}")
