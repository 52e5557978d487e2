"""`lungpipe bundle`: a model in one file for other people and other programs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungpipe.cli import options
from lungpipe.cli.errors import refusing

if TYPE_CHECKING:
    from lungpipe.bundles import Manifest


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bundle")(bundle)


def bundle(
    model: Annotated[
        Path,
        typer.Argument(help="A model's folder, a detector (.safetensors), or a bundle to check and describe."),
    ],
    *,
    out: Annotated[Path | None, typer.Option(help="The bundle (.lungpipe); without it MODEL is described.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model; default: that of its folder.")] = None,
    licence: Annotated[str | None, typer.Option(help="Default: the section of the folder's MODEL_CARD.md.")] = None,
    programs: Annotated[bool, typer.Option(help="Add TorchScript, torch.export and ONNX.")] = True,
    encrypt: Annotated[bool, typer.Option("--encrypt", help="Encrypt (AES-256-GCM) with the key.")] = False,
    key_file: options.KeyFile = None,
    sign_with: Annotated[Path | None, typer.Option(help="File of a private key (Ed25519, PEM) that signs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
    force: options.Force = False,
) -> None:
    """Put a model into one file: weights, programs, settings, figures, licence; or check and describe a bundle.

    The key of an encrypted bundle is in a file or in the environment, never on the command line.
    """
    if out is not None:
        options.refuse_existing(out, is_forced=force)

    from lungpipe.bundles import BundleError, find_secret, is_bundle, read_bundle

    with refusing(ValueError):
        if out is None:
            if not is_bundle(model):
                raise BundleError(f"{model}: expected a bundle (.lungpipe) to describe, or --out for a new one")
            found = read_bundle(model, key_file)
            signer = "nobody" if found.signed_by is None else found.signed_by
            _show(found.manifest, [f"signed by {signer}", f"encrypted: {found.is_encrypted}"], as_json=as_json)
            return

        from lungpipe.export.bundle import Wishes, bundle_model

        secret = find_secret(key_file) if encrypt else None
        wishes = Wishes(name, licence, programs, secret, sign_with)
        _show(bundle_model(model, out, wishes), [f"written to {out}"], as_json=as_json)


def _show(manifest: "Manifest", remarks: list[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(manifest.model_dump(mode="json"), indent=2))
        return
    typer.echo(f"{manifest.name}: {', '.join(manifest.models)} (lungpipe {manifest.lungpipe_version})")
    for role, facts in manifest.models.items():
        for kind, program in facts.programs.items():
            difference = max(program.largest_difference.values())
            typer.echo(f"{role} as {kind}: logits at most {difference:.2g} from the model")
    for line in (*remarks, manifest.notice):
        typer.echo(line)
