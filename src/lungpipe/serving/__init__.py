"""A model behind MLflow's registry and server: the code that MLflow runs, and an example of a request."""
