"""Training: what a network learns from a batch, and the one loop that trains every network."""
