"""Ends the copies of requests that a shadow gets from Traefik once its rollout has failed.

Flagger knows nothing of them, while the canary Service goes on to select what failed, until the target moves: it would
be asked copies until the next `pulumi up`.
"""

from __future__ import annotations

from slipway import names
from slipway.clients.kube import Kube, KubeError
from slipway.judge import run

COPIES = ("traefik.io/v1alpha1", "IngressRoute")


def end_copies(kube: Kube) -> int:
    """Delete the routers that copy requests to a failed candidate; the result is how many those were.

    Where the target has just moved, the phase is still that of the rollout before.

    Raises:
        SlipwayError: The API server cannot be reached, or a model's objects cannot be read.
    """
    try:
        routes = kube.list(*COPIES, label_selector=names.MODEL)
    except KubeError as error:
        if error.status == 404:
            # No Traefik with kinds of its own.
            return 0
        raise
    ended = 0
    for route in routes:
        namespace, model = route["metadata"]["namespace"], route["metadata"]["labels"][names.MODEL]
        seen = run.read(kube, namespace, model)[0]
        router = names.shadow(seen.candidate or "")
        if seen.phase == "Failed" and not seen.moved and route["metadata"]["name"] == router:
            kube.delete(*COPIES, router, namespace)
            ended += 1
    return ended
