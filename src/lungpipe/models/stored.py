"""Find the models that a path names: a model file, a model's folder, or a bundle."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lungpipe.bundles import is_bundle, read_bundle
from lungpipe.models.card import Role
from lungpipe.models.model import Model, load_model, parse_model
from lungpipe.shipped import DETECTOR_FILE, SCORER_FILE
from lungpipe.tables import file_sha256

FILES: dict[Role, str] = {"detector": DETECTOR_FILE, "scorer": SCORER_FILE}


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model, its name in messages, and the SHA-256 of its file, which is the same inside of a bundle."""

    model: Model
    name: str
    digest: str


def load_models(source: Path | str | Sequence[Path | str], key_file: Path | None = None) -> dict[Role, StoredModel]:
    """Load the models of a folder, of a bundle, or of one or several model files, by role.

    `key_file` holds the key of an encrypted bundle, see `lungpipe.bundles.find_secret`.

    Raises:
        ValueError: no file, no detector among them, two models of one role, a file that is no model or no bundle.
        OSError: no such file.
    """
    named = [Path(source)] if isinstance(source, str | Path) else [Path(path) for path in source]
    found: dict[Role, StoredModel] = {}
    for stored in (one for path in named for one in _stored(path, key_file)):
        role = stored.model.card.role
        if role in found:
            raise ValueError(f"model: expected one {role}, found two: {found[role].name} and {stored.name}")
        found[role] = stored
    if not found:
        raise ValueError("model: expected at least one model file, found none")
    if "detector" not in found:
        listed = ", ".join(stored.name for stored in found.values())
        raise ValueError(f"model: expected a detector, found none among {listed}")
    return found


def load_role(path: Path, role: Role, key_file: Path | None = None) -> Model:
    """Load the model of one role from its file, from a model's folder, or from a bundle.

    Raises:
        ValueError: no such model, or a file that is no model or no bundle.
        OSError: no such file.
    """
    path = Path(path)
    if is_bundle(path):
        models = {stored.model.card.role: stored.model for stored in _of_bundle(path, key_file)}
        if role not in models:
            raise ValueError(f"{path}: expected a {role}, found a bundle of a {', '.join(models)}")
        return models[role]
    return load_model(path / FILES[role] if path.is_dir() else path, expect_role=role)


def has_role(path: Path, role: Role, key_file: Path | None = None) -> bool:
    """Return whether a model's folder or a bundle has a model of the role; a model file alone is not opened: False."""
    path = Path(path)
    if is_bundle(path):
        return role in read_bundle(path, key_file).manifest.models
    return (path / FILES[role]).is_file()


def _stored(path: Path, key_file: Path | None) -> Iterator[StoredModel]:
    if is_bundle(path):
        yield from _of_bundle(path, key_file)
        return
    if path.is_dir() and not (path / DETECTOR_FILE).is_file():
        raise ValueError(f"{path}: expected the file {DETECTOR_FILE} in the model's folder, found none")
    files = [path / name for name in FILES.values() if (path / name).is_file()] if path.is_dir() else [path]
    for file in files:
        yield StoredModel(load_model(file), str(file), file_sha256(file))


def _of_bundle(path: Path, key_file: Path | None) -> Iterator[StoredModel]:
    bundle = read_bundle(path, key_file)
    for role, facts in bundle.manifest.models.items():
        content, name = bundle.files[facts.file], f"{path}: {facts.file}"
        yield StoredModel(parse_model(content, name, expect_role=role), name, hashlib.sha256(content).hexdigest())
