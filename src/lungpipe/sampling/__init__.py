"""Training material: a table of points, windows cut around them, and what each should show."""
