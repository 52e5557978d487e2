"""Training data: a table of points, windows cut around them, and the targets of each window."""
