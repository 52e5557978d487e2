"""One slice of a DICOM series."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice of a series and its header: a file, or one frame (from 0) of a file with many.

    `description` has the texts that describe the series, by keyword.
    """

    path: Path
    header: Dataset
    frame: int | None = None
    description: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name the slice within its folder."""
        return self.path.name + self._suffix

    @property
    def where(self) -> str:
        """Name the slice with its folder."""
        return str(self.path) + self._suffix

    @property
    def _suffix(self) -> str:
        return "" if self.frame is None else f" frame {self.frame + 1}"
