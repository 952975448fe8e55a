"""Records of rollouts and the operator's commands: settle, roll back, abort, retry, report."""
