"""Where a scorer looks: Grad-CAM of its last feature map, on the grid of the scan."""
