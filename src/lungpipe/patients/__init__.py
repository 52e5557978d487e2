"""Aggregate scored candidates to patients, and detect in scans outside a study."""
