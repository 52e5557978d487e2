"""Which definitions of a package an entry point can run, and a digest of them; read, never imported."""

from lungpipe.services.sources.package import Target
from lungpipe.services.sources.reach import SourceTree

__all__ = ["SourceTree", "Target"]
