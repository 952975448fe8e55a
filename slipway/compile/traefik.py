"""Types of Traefik's objects, field by field; see `objects`.

Traefik's provider for Gateway API refuses the filter RequestMirror (pkg/provider/kubernetes/gateway/httproute.go), by
which Flagger would copy requests. Traefik's own kinds can copy: our router takes precedence over the one that Traefik
makes of Flagger's route. Users get the primary's answers from either, so ours may come or go at any time. If the canary
Service has no server, Traefik drops our router (crd/kubernetes_http.go, loadServers), and Flagger's remains.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from slipway import names
from slipway.compile.objects import Manifest, Metadata, Name, Port, Subdomain, Wire
from slipway.objects import Object
from slipway.quantities import Percent

#: Above Traefik's priorities of Gateway API routes: 100 000 for an exact path, less for a header or a long host
#: (pkg/provider/kubernetes/gateway/httproute.go, buildMatchRule).
PRIORITY = 1_000_000


class Mirror(Wire):
    """A Service that receives copies of requests; its answers are dropped."""

    name: Name
    port: Port
    percent: Percent = 100


class Mirroring(Wire):
    """The Service whose answers users get, and its mirrors."""

    name: Name
    port: Port
    mirrors: tuple[Mirror, ...]


class TraefikServiceSpec(Wire):
    """The spec of a TraefikService."""

    mirroring: Mirroring


class TraefikService(Manifest):
    """Traefik's TraefikService."""

    api_version: Literal["traefik.io/v1alpha1"] = Field(default="traefik.io/v1alpha1", serialization_alias="apiVersion")
    kind: Literal["TraefikService"] = "TraefikService"
    metadata: Metadata
    spec: TraefikServiceSpec


class RouteService(Wire):
    """The TraefikService of a rule's requests."""

    name: Name
    kind: Literal["TraefikService"] = "TraefikService"


class Rule(Wire):
    """A rule of requests and their service."""

    kind: Literal["Rule"] = "Rule"
    match: str
    priority: Annotated[int, Field(ge=1)] = PRIORITY
    services: tuple[RouteService, ...]


class IngressRouteSpec(Wire):
    """Rules of all of Traefik's default entry points."""

    routes: tuple[Rule, ...]


class IngressRoute(Manifest):
    """Traefik's IngressRoute."""

    api_version: Literal["traefik.io/v1alpha1"] = Field(default="traefik.io/v1alpha1", serialization_alias="apiVersion")
    kind: Literal["IngressRoute"] = "IngressRoute"
    metadata: Metadata
    spec: IngressRouteSpec


def compile_copies(model: str, candidate: str, namespace: str, host: Subdomain, port: int) -> tuple[Object, Object]:
    """Compile the mirroring and the router that copy each request of users to a candidate.

    They are named after the candidate's InferenceService: the judge deletes the router of a failed one
    (judge/shadows.py) unknown to Pulumi, which would take the next candidate's router for unchanged.
    """
    metadata = Metadata(name=names.shadow(candidate), namespace=namespace, labels={names.MODEL: model})
    mirrors = (Mirror(name=names.canary(model), port=port),)
    mirroring = Mirroring(name=names.primary(model), port=port, mirrors=mirrors)
    rule = Rule(match=f"Host(`{host}`)", services=(RouteService(name=metadata.name),))
    return (
        TraefikService(metadata=metadata, spec=TraefikServiceSpec(mirroring=mirroring)).manifest(),
        IngressRoute(metadata=metadata, spec=IngressRouteSpec(routes=(rule,))).manifest(),
    )
