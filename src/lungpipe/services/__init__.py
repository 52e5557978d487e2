"""Tracking, provenance and jobs; used by the workflow's scripts and the command line only."""
