"""Delivery by Git: the objects of models as a tree of files that Argo CD applies."""
