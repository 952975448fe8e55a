"""Error of a container that cannot start."""

from __future__ import annotations


class Refusal(Exception):
    """Reason why a container cannot start, for its status.

    Args:
        reason: CamelCase word of the container's waiting state, as a kubelet uses it.
        message: One line for the user.
        retry: Whether it can start later, once the missing object exists.
    """

    def __init__(self, reason: str, message: str, retry: bool = False) -> None:
        super().__init__(message)
        self.reason, self.message, self.retry = reason, message, retry


def unsupported(message: str) -> Refusal:
    """Return the refusal of something that this kubelet does not support."""
    return Refusal("CreateContainerConfigError", f"the lab's kubelet does not support {message}")
