"""Trains the demo models into an MLflow registry."""
