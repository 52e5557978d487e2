"""The tracking store: its address, its check, and its creation, exactly once."""

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.server import check_server
from lungpipe.settings import StudySettings
from lungpipe.tables.atomic import replacing

SQLITE = "sqlite:///"
OTHER_SCHEMES = ("mysql", "mssql", "postgresql", "databricks")
"""Other stores of MLflow, which are not checked before the first record is sent."""


def tracking_uri(settings: StudySettings) -> str:
    """Return the study's tracking URI: its own setting, else MLFLOW_TRACKING_URI, else sqlite under `results_dir`.

    Raises:
        TrackingError: a server's URI with a password in it, which would end up in a results folder.
    """
    default = f"{SQLITE}{Path(settings.results_dir) / 'mlflow.db'}"
    uri = settings.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or default
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") and parts.password:
        raise TrackingError(
            f"tracking URI: expected no password in it (MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD hold "
            f"it), found one for {parts.hostname}"
        )
    return uri


def artifact_location(uri: str, settings: StudySettings) -> str | None:
    """Return the folder for artifacts beside a database store; None for a server, which has its own folder."""
    if urlsplit(uri).scheme in ("http", "https", "databricks"):
        return None
    return str(Path(settings.results_dir).absolute() / "mlartifacts")


def connect(uri: str) -> Any:
    """Return an `MlflowClient`; mlflow is imported here, since the import is slow and not needed to check a URI."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def require_store(uri: str) -> None:
    """Refuse an sqlite store whose file was deleted: MLflow would write to the deleted file or create an empty store.

    Raises:
        TrackingError: no such file.
    """
    if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).is_file():
        raise TrackingError(f"{uri}: expected the tracking store that the run began with, found no such file")


def check_uri(uri: str) -> None:
    """Refuse an invalid tracking store at once, without importing mlflow.

    Raises:
        TrackingError: an unknown scheme; an sqlite file that is no MLflow store, or whose folder cannot be made; a
            server that does not answer or refuses the user's name and password.
    """
    scheme = urlsplit(uri).scheme
    if scheme in ("http", "https"):
        check_server(uri)
    elif uri.startswith(SQLITE):
        _check_sqlite(Path(uri.removeprefix(SQLITE)))
    elif scheme.split("+")[0] not in OTHER_SCHEMES:
        known = f"sqlite:///, http, https, {', '.join(OTHER_SCHEMES)}"
        raise TrackingError(f"tracking URI: expected one of {known}, found {scheme or uri!r}")


def _check_sqlite(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _revision(path)
    except (OSError, sqlite3.Error) as error:
        raise TrackingError(f"{path}: expected an MLflow store or a place for one, found {error}") from None


def ensure_store(uri: str) -> None:
    """Create an sqlite store that does not exist, or upgrade an older one; other stores are not changed.

    A new store is written completely, renamed, and protected by a lock: processes that create a store at once break it.
    """
    if not uri.startswith(SQLITE):
        return
    path = Path(uri.removeprefix(SQLITE))
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_name(f".{path.name}.lock")):
        if not path.exists():
            with replacing(path) as temporary:
                connect(f"{SQLITE}{temporary}").search_experiments(max_results=1)
        elif _revision(path) != _newest_revision():
            with replacing(path) as temporary:
                _copy_database(path, temporary)
                _upgrade(f"{SQLITE}{temporary}")


def _revision(path: Path) -> str | None:
    with closing(sqlite3.connect(path)) as database:
        row = database.execute("select version_num from alembic_version").fetchone()
    return str(row[0]) if row else None


def _newest_revision() -> str | None:
    # read from MLflow's migrations: connecting to some older stores would upgrade them in place, and a killed upgrade
    # cannot be repeated
    import mlflow
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations")).get_current_head()


def _copy_database(source: Path, target: Path) -> None:
    # sqlite's backup includes changes that are still in a journal beside the file
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _upgrade(uri: str) -> None:
    command = (sys.executable, "-m", "mlflow", "db", "upgrade", uri)
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise TrackingError(f"{uri}: expected `mlflow db upgrade` to succeed, found {answer.stderr.strip()[-500:]}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
