"""Detect candidates in volumes, and score candidates."""
