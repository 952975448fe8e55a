"""Pinned tools of the lab and of the charts: builds and paths."""
