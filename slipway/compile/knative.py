"""A model on Knative: one InferenceService, whose newest revision gets a share of the traffic.

KServe splits the traffic itself there, so Flagger has no part in it: its own knative provider writes what KServe
resets within milliseconds (pkg/reconcilers/knative/ksvc_reconciler.go). Somebody has to move the share, step by step.
No environment has Knative yet: the objects are compiled, shown to KServe's own schema, and refused by `up`.
"""

from __future__ import annotations

from slipway import names
from slipway.compile.model import provenance, resources_of, served
from slipway.compile.objects import InferenceService, InferenceServiceSpec, Metadata, SplitPredictor
from slipway.models.release import Release
from slipway.models.spec import ModelSpec
from slipway.objects import Object
from slipway.settings.environment import Environment


def compile_knative(spec: ModelSpec, release: Release, percent: int | None, environment: Environment) -> Object:
    """Return the InferenceService at one step of a rollout.

    Args:
        spec: The model.
        release: The newest one, which becomes the newest revision.
        percent: Its share of the traffic; the rest goes to the revision that had all of it last. None is all of it,
            which promotes; 0 takes it back. Anything else needs a revision that has been rolled out before: the
            first one gets everything, whatever is written here.
        environment: Where.
    """
    whole = SplitPredictor(
        service_account_name=environment.service_account,
        min_replicas=spec.serving.replicas.min,
        max_replicas=spec.serving.replicas.max,
        # Knative allows one port a container; the runtime names it, and Knative's proxy measures what passes it.
        model=served(spec, release, environment, resources_of(spec), None),
    )
    annotations = {
        # Without the share: annotations reach the pods, and what changes there is a new revision.
        **provenance(release, InferenceServiceSpec(predictor=whole)),
        "serving.kserve.io/deploymentMode": "Knative",
        # A revision can be asked by its tag, whatever its share.
        "serving.kserve.io/enable-tag-routing": "true",
    }
    metadata = Metadata(
        name=spec.name, namespace=environment.namespace, labels={names.MODEL: spec.name}, annotations=annotations
    )
    split = whole.model_copy(update={"canary_traffic_percent": percent})
    return InferenceService(metadata=metadata, spec=InferenceServiceSpec(predictor=split)).manifest()
