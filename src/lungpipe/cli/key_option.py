"""The option for the key of an encrypted bundle, which several commands share."""

from pathlib import Path
from typing import Annotated

import typer

KeyFile = Annotated[
    Path | None,
    typer.Option(
        help="File with the key of an encrypted bundle (64 hex digits); else LUNGPIPE_BUNDLE_KEY or "
        "LUNGPIPE_BUNDLE_PASSPHRASE in the environment."
    ),
]
