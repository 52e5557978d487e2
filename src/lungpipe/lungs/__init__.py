"""Find the lungs: threshold, outside air, airways, left and right lung."""
