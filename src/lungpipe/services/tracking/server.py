"""Check whether an MLflow server answers, with the standard library alone."""

import base64
import os
import socket
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from lungpipe.services.tracking.errors import TrackingError

SECONDS_FOR_ANSWER = 10.0


def check_server(uri: str) -> None:
    """Ask a tracking server for one experiment, as the user whom MLflow's environment variables name.

    Only certain failures are refused. Other failures, such as a certificate that only MLflow is configured for, are
    reported by the sender.

    Raises:
        TrackingError: no such host, nothing listens there, or the server refuses the user.
    """
    address = f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/search?max_results=1"
    try:
        with urlopen(Request(address, headers=_authorization()), timeout=SECONDS_FOR_ANSWER):  # noqa: S310 - http alone
            return
    except HTTPError as error:
        if error.code in (401, 403):
            user = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            raise TrackingError(f"{_name(uri)}: expected {user} of a user, found {error.code} {error.reason}") from None
    except URLError as error:
        if isinstance(error.reason, ConnectionRefusedError | socket.gaierror):
            raise TrackingError(f"{_name(uri)}: expected a tracking server, found {error.reason}") from None
    except OSError:
        return


def _name(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def _authorization() -> dict[str, str]:
    name, password = (os.environ.get(f"MLFLOW_TRACKING_{part}") for part in ("USERNAME", "PASSWORD"))
    if name and password is not None:
        return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    return {}
