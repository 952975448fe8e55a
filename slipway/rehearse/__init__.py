"""Rehearsals: rollouts in the lab, before a release is merged."""
