"""AWS resources of an environment as plain data, and queries to AWS."""
