"""Component for EKS add-ons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from slipway.aws import addons
from slipway.settings.aws import EksSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class AddonsArgs:
    """Arguments of `Addons`; `settings` has the versions, `after` the resources that the add-ons' pods need."""

    cluster: pulumi.Input[str]
    settings: EksSettings
    names: tuple[str, ...]
    after: Sequence[pulumi.Resource]


class Addons(pulumi.ComponentResource):
    """Add-ons that EKS installs and updates."""

    installed: list[pulumi.Resource]

    def __init__(self, name: str, args: AddonsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        from pulumi_aws import eks

        super().__init__("slipway:aws:Addons", name, None, opts)
        self.installed = []
        for addon in args.names:
            addon_args = eks.AddonArgs(
                cluster_name=args.cluster,
                addon_name=addon,
                addon_version=args.settings.addons.get(addon),
                configuration_values=addons.configuration(addon),
                resolve_conflicts_on_create="OVERWRITE",
                resolve_conflicts_on_update="OVERWRITE",
            )
            options = pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
            self.installed.append(eks.Addon(f"{name}-{addon}", addon_args, options))
        self.register_outputs({})
