"""The demo: from training to an answer, then rollouts to their ends."""
