"""What stands on AWS under an environment; only stacks that have something there import this."""
