"""Traffic of users to models, and its results."""
