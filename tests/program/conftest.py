"""Runs the whole program on a recording engine."""

from recorder import project, run

__all__ = ["project", "run"]
