"""The program on a recording engine, in a project whose files an earlier version of Slipway wrote."""

from recorder import project, run

__all__ = ["project", "run"]
