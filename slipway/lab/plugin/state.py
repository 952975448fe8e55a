"""State of an object in Pulumi's checkpoint.

It is the live object, with `__inputs`, `__initialApiVersion` and `__fieldManager` beside its own fields.
"""

from __future__ import annotations

from google.protobuf.struct_pb2 import Struct

from slipway.lab.plugin import diff, values
from slipway.lab.plugin.check import usually_namespaced
from slipway.objects import Object

INPUTS, FIRST_VERSION, MANAGER = "__inputs", "__initialApiVersion", "__fieldManager"

#: Fields written by the server alone, which are not part of inputs derived from a live object.
_SERVER_METADATA = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
_SERVER_ANNOTATIONS = ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration")


def read(struct: Struct) -> tuple[Object, Object]:
    """Return inputs and live object (with the two other extra fields) of a stored state, without secret marks.

    Its largest parts, which are not needed, are dropped from `struct` before it is converted.
    """
    struct.fields.pop("status", None)
    if "metadata" in struct.fields:
        struct.fields["metadata"].struct_value.fields.pop("managedFields", None)
    live = values.plain(values.to_python(struct))
    return live.pop(INPUTS, {}), live


def write(given: Object, live: Object, manager: str, first_version: str = "") -> Struct:
    """Return the state to store.

    Args:
        given: The inputs, with secret marks; the same places become secret in the live object.
        first_version: The apiVersion that it was created with; empty for that of the inputs.
    """
    state = values.marked(live, given)
    state[INPUTS], state[FIRST_VERSION], state[MANAGER] = given, first_version or given.get("apiVersion"), manager
    return values.to_struct(state)


def first(live: Object, inputs: Object) -> str:
    """Return the apiVersion that an object was created with."""
    return str(live.get(FIRST_VERSION) or inputs.get("apiVersion") or "")


def inputs_of(live: Object, old_inputs: Object) -> Object:
    """Return inputs that would create the live object.

    Args:
        old_inputs: The inputs whose shape is kept; empty at an import, which takes all fields not added by the server.
    """
    if old_inputs:
        pruned: Object = diff.prune(live, diff.fold_secret(old_inputs))
        return pruned
    metadata = {key: value for key, value in live["metadata"].items() if key not in _SERVER_METADATA}
    annotations = metadata.pop("annotations", {})
    if kept := {key: value for key, value in annotations.items() if key not in _SERVER_ANNOTATIONS}:
        metadata["annotations"] = kept
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": metadata}


def is_complete(inputs: Struct, kind: str) -> bool:
    """Return whether a check has nothing to add to the inputs, without converting them."""
    fields = inputs.fields
    if kind == "Secret" or "metadata" not in fields or "kind" not in fields or fields["kind"].string_value != kind:
        return False
    metadata = fields["metadata"].struct_value.fields
    wanted = ("name", "namespace") if usually_namespaced(kind) else ("name",)
    return all(key in metadata and metadata[key].string_value for key in wanted) and "generateName" not in metadata
