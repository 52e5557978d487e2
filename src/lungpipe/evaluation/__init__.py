"""Evaluation by the official LUNA16 rules, with intervals, strata and malignancy; without torch."""
