"""What a voxel without a measurement holds."""

AIR_HU = -1024
"""HU outside a scan."""
