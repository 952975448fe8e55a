"""Everything under the models of one environment.

platform = Platform("prod")
Flagger("prod", FlaggerArgs(objects=…), ResourceOptions(parent=platform, providers=[provider]))
"""

from __future__ import annotations

import pulumi

from components import tokens


class Platform(pulumi.ComponentResource):
    """A parent alone: what depends on it waits for all that is in it.

    Whoever has put the last component into it registers its outputs: those of each component, by name.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.PLATFORM, name, None, opts)
