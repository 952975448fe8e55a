"""Tries a rollout before anyone merges it."""
