"""The definitions of a package that an entry point can run, and their digest; files are read, not imported."""

from lungpipe.services.sources.package import Target
from lungpipe.services.sources.reach import SourceTree

__all__ = ["SourceTree", "Target"]
