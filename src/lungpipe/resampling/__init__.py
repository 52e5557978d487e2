"""Scans and labels on another grid."""
