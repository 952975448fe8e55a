"""Demo: from training to a prediction, then rollouts to their ends."""
