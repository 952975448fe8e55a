"""The state of a rollout, read from cluster objects, and the decisions that follow from it."""
