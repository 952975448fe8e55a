"""Everything under the models of one environment.

platform = Platform("prod")
Flagger("prod", SystemArgs(objects=…), ResourceOptions(parent=platform, providers=[provider]))
"""

from __future__ import annotations

import pulumi


class Platform(pulumi.ComponentResource):
    """The parent of the systems: what depends on it waits for all of them.

    The program registers its outputs after the last system: those of each, by name.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:platform:Platform", name, None, opts)
