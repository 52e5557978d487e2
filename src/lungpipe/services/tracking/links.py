"""Where the runs of a study are shown."""

import json
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from lungpipe.services.tracking.current import EXPERIMENT
from lungpipe.services.tracking.views import view_link

DEFAULT_STORE = "sqlite:///results/mlflow.db"
"""The store that `make ui` shows."""
LOCAL_SERVER = "http://127.0.0.1:5000"


def find_runs(folder: Path, *, is_store_named: bool = True) -> dict[str, str | None] | None:
    """Return `url` of the page with a study's runs, and `serve`: the command that shows a local store, else None.

    `folder` is the study's tracking folder. None where nothing was sent. A user's name is left out of the URL. Without
    `is_store_named` the command has a placeholder for the path of a store that is not the default one.
    """
    path = folder / EXPERIMENT
    if not path.is_file():
        return None
    place = json.loads(path.read_text(encoding="utf-8"))
    page = view_link(place["experiment"])
    if place["uri"].startswith(("http://", "https://")):
        parts = urlsplit(place["uri"])
        server = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return {"url": f"{server.rstrip('/')}/{page}", "serve": None}
    named = place["uri"] if is_store_named else "<the study's store>"
    store = "" if place["uri"] == DEFAULT_STORE else f" STORE={named}"
    return {"url": f"{LOCAL_SERVER}/{page}", "serve": f"make ui{store}"}
