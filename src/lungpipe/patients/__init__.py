"""From scored candidates to patients."""
