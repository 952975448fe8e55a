"""Pulumi components that register compiled manifests.

Each type token is part of every URN: a changed token needs an alias, or everything under it is replaced.
"""
