"""Figures and pages: what a person wants to see."""
