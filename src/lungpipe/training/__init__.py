"""Training: augmentation, losses, and the one loop that trains every network."""
