"""MLflow tracking: jobs write records to a folder, and one sender process sends them; only this package imports mlflow.

Nothing is imported here: a job reads `records` and `current` and must not import mlflow.
"""
