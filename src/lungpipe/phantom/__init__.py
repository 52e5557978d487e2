"""The phantom: artificial chests, drawn from a seed, in LUNA16's layout and formats."""

from lungpipe.phantom.plan import FULL_SIZE, PHANTOM_TABLES, planned_files
from lungpipe.phantom.write import write_phantom

__all__ = ["FULL_SIZE", "PHANTOM_TABLES", "planned_files", "write_phantom"]
