"""Parent component of an environment's systems."""

from __future__ import annotations

import pulumi


class Platform(pulumi.ComponentResource):
    """Parent of the systems; its dependents wait for all of them.

    The program registers its outputs, those of each system by name, after the last system.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:platform:Platform", name, None, opts)
