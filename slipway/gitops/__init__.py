"""Delivery by Git: models' objects as a tree of files that Argo CD reconciles."""
