"""What follows from a rollout: settle, roll back, report."""
