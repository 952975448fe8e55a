"""Watches how good a model's answers are: joins predictions with the labels that arrive later."""
