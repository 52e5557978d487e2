"""Read raw scans, annotations and ratings as `Scan` objects and contract tables; make folds without leaks."""
