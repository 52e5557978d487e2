"""Model bundles: one file with models, programs and manifest, checked before anything of it is used."""

from lungpipe.bundles.archive import BundleError
from lungpipe.bundles.bundle import Bundle, is_bundle, read_bundle, write_bundle
from lungpipe.bundles.encryption import Secret, find_secret
from lungpipe.bundles.manifest import Manifest, ModelFacts, ProgramFacts, TensorFacts

__all__ = [
    "Bundle",
    "BundleError",
    "Manifest",
    "ModelFacts",
    "ProgramFacts",
    "Secret",
    "TensorFacts",
    "find_secret",
    "is_bundle",
    "read_bundle",
    "write_bundle",
]
