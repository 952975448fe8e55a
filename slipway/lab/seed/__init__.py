"""Training of the demo models into an MLflow registry."""
