"""Prepare raw scans as stored volumes, check them, and compare their lungs with reference masks."""
