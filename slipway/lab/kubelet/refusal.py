"""The reason why a container cannot start."""

from __future__ import annotations


class Refusal(Exception):
    """A container cannot start; its status says why.

    Args:
        reason: CamelCase word of the container's waiting state, as a kubelet gives it.
        message: One line for a person.
        retry: Whether it may start later, when what it lacks has been made.
    """

    def __init__(self, reason: str, message: str, retry: bool = False) -> None:
        super().__init__(message)
        self.reason, self.message, self.retry = reason, message, retry


def unsupported(message: str) -> Refusal:
    """Refuse what this kubelet does not do."""
    return Refusal("CreateContainerConfigError", f"the lab's kubelet does not support {message}")
