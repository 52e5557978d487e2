"""Make a bundle of a model: models, programs, card and manifest in one file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lungpipe import __version__
from lungpipe.bundles import BundleError, Manifest, ModelFacts, ProgramFacts, Secret, is_bundle, write_bundle
from lungpipe.bundles.bundle import file_facts
from lungpipe.bundles.manifest import CARD_FILE, Role
from lungpipe.export.programs import ENDINGS, Programs, make_programs
from lungpipe.models.stored import FILES, StoredModel, load_models
from lungpipe.prediction.result import NOTICE

LICENCE_TITLE = "## Licence and attribution"
NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a bundle is made.

    name: of the model; by default that of its folder. licence: by default the section of the folder's MODEL_CARD.md.
    has_programs: whether TorchScript, torch.export and ONNX are part of it. secret: encrypts. sign_with: file of a
    private key (Ed25519, PEM) that signs.
    """

    name: str | None = None
    licence: str | None = None
    has_programs: bool = True
    secret: Secret | None = None
    sign_with: Path | None = None


def bundle_model(source: Path, out: Path, wishes: Wishes | None = None) -> Manifest:
    """Write the bundle of a model's folder or of a detector's file; returns its manifest.

    Raises:
        BundleError: see `make_programs` and `write_bundle`.
        ValueError: no model.
        OSError: no such file, or a disk that does not take the bundle.
    """
    wishes, source = wishes or Wishes(), Path(source)
    if is_bundle(source):
        raise BundleError(f"{source}: expected a model's folder or file, found a bundle")
    stored = load_models(source)
    page = source / CARD_FILE
    text = page.read_text(encoding="utf-8") if page.is_file() else None
    files: dict[str, bytes] = {} if text is None else {CARD_FILE: text.encode("utf-8")}
    models: dict[Role, ModelFacts] = {}
    for role, one in stored.items():
        programs = make_programs(one.model, one.name) if wishes.has_programs else Programs((), (), {}, {})
        models[role] = _facts(role, one, programs)
        files[models[role].file] = Path(one.name).read_bytes()
        files |= {models[role].programs[kind].file: content for kind, content in programs.contents.items()}
    rules = {one.model.card.malignancy_rule for one in stored.values()} - {None}
    manifest = Manifest(
        notice=NOTICE,
        name=wishes.name or source.stem,
        lungpipe_version=__version__,
        licence=wishes.licence or _licence(text),
        label_rule=", ".join(sorted(map(str, rules))) or NOT_STATED,
        models=models,
        files=file_facts(files),
    )
    write_bundle(out, manifest, files, secret=wishes.secret, sign_with=wishes.sign_with)
    return manifest


def _facts(role: Role, stored: StoredModel, programs: Programs) -> ModelFacts:
    made: Mapping[str, ProgramFacts] = {
        kind: ProgramFacts(file=f"programs/{role}.{ENDINGS[kind]}", largest_difference=dict(differences))
        for kind, differences in programs.differences.items()
    }
    return ModelFacts(
        file=FILES[role],
        card=stored.model.card.to_content(),
        inputs=programs.inputs,
        outputs=programs.outputs,
        programs=dict(made),
    )


def _licence(card: str | None) -> str:
    if card is None or LICENCE_TITLE not in card:
        return NOT_STATED
    return card.split(LICENCE_TITLE, 1)[1].split("\n## ", 1)[0].strip()
