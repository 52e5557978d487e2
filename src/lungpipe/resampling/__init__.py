"""Resample scans and labels to another grid."""
