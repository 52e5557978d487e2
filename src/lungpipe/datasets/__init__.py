"""Datasets: raw scans, annotations and ratings in, as `Scan` objects and contract tables; folds without leaks."""
