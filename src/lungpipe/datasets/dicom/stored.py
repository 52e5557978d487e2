"""The format of stored pixels: bits of the value, sign, and padding values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from lungpipe.datasets.scan import ScanError


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A slice (yx) as stored: its values, and which of them are padding (None: no padding).

    `brightest_padding` is the largest value that counts as padding; None where no measured value can be equal to it.
    """

    values: NDArray[Any]
    is_padding: NDArray[np.bool_] | None
    brightest_padding: int | None


@dataclass(frozen=True, slots=True)
class StoredFormat:
    """How a file stores its pixels (PS3.5 8.1.1): the bits in all, those of the value, its highest bit, and a sign.

    `padding` are PixelPaddingValue and PixelPaddingRangeLimit, as written.
    """

    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    padding: tuple[int, ...]

    @classmethod
    def of(cls, path: Path, data: Dataset, *, is_encapsulated: bool) -> "StoredFormat":
        """Read the format from a file's elements; raises ScanError for bits that do not fit into those allocated.

        A compressed stream holds the value in its lowest bits, whatever the high bit is said to be.
        """
        allocated = int(data.BitsAllocated)
        stored = int(data.get("BitsStored") or allocated)
        if not 1 <= stored <= allocated:
            raise ScanError(f"{path}: BitsStored: expected 1 to {allocated} bits, found {stored}")
        high = data.get("HighBit")
        high = stored - 1 if high is None or is_encapsulated else int(high)
        if not stored - 1 <= high < allocated:
            raise ScanError(f"{path}: HighBit: expected {stored - 1} to {allocated - 1}, found {high}")
        given = (data.get("PixelPaddingValue"), data.get("PixelPaddingRangeLimit"))
        padding = tuple(value for value in given if isinstance(value, int)) if isinstance(given[0], int) else ()
        return cls(allocated, stored, high, data.get("PixelRepresentation") == 1, padding)

    def read(self, bits: NDArray[Any]) -> Stored:
        """Return the values of a slice of unsigned whole numbers; other bits (overlays) are dropped."""
        values = self._values(bits)
        if not self.padding:
            return Stored(values, None, None)
        written = np.array([value & ((1 << self.bits_allocated) - 1) for value in self.padding], dtype=bits.dtype)
        meant = self._values(written << (self.high_bit + 1 - self.bits_stored))
        # an unsigned 63536 in a file of 12 bits is compared with all bits
        is_value = self.is_signed or bool((meant == written).all())
        searched, padding = (values, meant) if is_value else (bits, written)
        low, high = padding.min(), padding.max()
        is_padding = searched == low if low == high else (searched >= low) & (searched <= high)
        if not is_padding.any():
            return Stored(values, None, None)
        return Stored(values, is_padding, int(high) if is_value else None)

    def _values(self, bits: NDArray[Any]) -> NDArray[Any]:
        kind = np.dtype(f"{'i' if self.is_signed else 'u'}{self.bits_allocated // 8}")
        if self.bits_stored == self.bits_allocated:
            return bits.view(kind)
        # the bits above are pushed out; back to its place, the value's highest bit fills them if it is a sign
        highest = (bits << (self.bits_allocated - 1 - self.high_bit)).view(kind)
        values: NDArray[Any] = highest >> (self.bits_allocated - self.bits_stored)
        return values
