"""Read LIDC-IDRI's readings: marks, ratings and outlines of up to four readers, matched to LUNA16's annotations."""
