"""External Secrets in an environment's cluster.

Secrets("prod", SecretsArgs(objects=compile_secrets(settings, context)), ResourceOptions(providers=[provider]))

On EKS its service account gets the role that may read `slipway/<environment>/*`; elsewhere somebody has to give its
pods credentials of AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install
from slipway.platform.secrets import STORE


@dataclass(frozen=True, kw_only=True, eq=False)
class SecretsArgs:
    """What `Secrets` takes.

    Args:
        objects: Compiled by `slipway.platform.secrets`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Secrets(pulumi.ComponentResource):
    """The controller with the kinds that it knows, and the store that they ask.

    Outputs:
        store: Name of the ClusterSecretStore.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.SECRETS, name, None, opts)
        install(self, args.objects)
        self.outputs = {"store": STORE}
        self.register_outputs(self.outputs)
