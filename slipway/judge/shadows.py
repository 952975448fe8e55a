"""The end of Traefik's copies of requests to a shadow whose rollout has failed.

Flagger does not know these copies, and the canary Service selects the failed candidate until the target moves. Without
this, the copies would go on until the next `pulumi up`.
"""

from __future__ import annotations

from slipway import names
from slipway.clients.kube import Kube, KubeError
from slipway.judge import run

COPIES = ("traefik.io/v1alpha1", "IngressRoute")


def end_copies(kube: Kube) -> int:
    """Delete the routers that copy requests to a failed candidate and return their number.

    Just after the target has moved, the phase is still that of the previous rollout.

    Raises:
        SlipwayError: The API server cannot be reached, or a model's objects cannot be read.
    """
    try:
        routes = kube.list(*COPIES, label_selector=names.MODEL)
    except KubeError as error:
        if error.status == 404:
            # The cluster lacks Traefik's CRDs.
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
