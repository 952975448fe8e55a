"""The state of a rollout: the only place that reads it from cluster objects, and the decisions that follow from it."""
