"""Constants that several rooms share."""

AIR_HU = -1024
"""HU outside a scan."""
