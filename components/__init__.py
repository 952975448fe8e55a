"""Pulumi components: thin, they take compiled manifests.

The type token of each is part of every URN: another one needs an alias, or everything under it is replaced.
"""
