"""Component for the MetricTemplates that all models of an environment share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.manifest import Manifest


@dataclass(frozen=True, kw_only=True, eq=False)
class MetricsArgs:
    """Arguments of `Metrics`: the compiled MetricTemplates."""

    templates: tuple[Mapping[str, Any], ...]


class Metrics(pulumi.ComponentResource):
    """MetricTemplates with the queries that decide a rollout."""

    def __init__(self, name: str, args: MetricsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:metrics:Metrics", name, None, opts)
        for template in sorted(args.templates, key=lambda template: str(template["metadata"]["name"])):
            Manifest(template, pulumi.ResourceOptions(parent=self))
        self.register_outputs({})
