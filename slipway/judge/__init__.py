"""Decides about a candidate: better evidence than a threshold a minute."""
