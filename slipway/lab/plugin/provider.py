"""gRPC server of one provider resource."""

from __future__ import annotations

import threading

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
from pulumi.runtime.proto.provider_pb2 import CheckRequest, DiffResponse, PropertyDiff

from slipway.errors import SlipwayError
from slipway.lab.plugin import check, config, diff, operations, paths, state, values
from slipway.lab.plugin.awaiting import NotReadyError
from slipway.lab.plugin.config import Settings
from slipway.lab.plugin.connection import Connection
from slipway.lab.plugin.engine import Engine
from slipway.lab.plugin.failures import fail, fail_partially
from slipway.lab.plugin.operations import Task

_KINDS = {
    (kind, replace): getattr(PropertyDiff, kind.value + ("_REPLACE" if replace else ""))
    for kind in diff.Kind
    for replace in (False, True)
}
_ERRORS = (SlipwayError, NotReadyError, ValueError)


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Provider resource; the engine starts a process for each.

    Other calls (Handshake, GetSchema, Invoke, Construct …) stay unimplemented, which the engine accepts.

    Args:
        cancelled: Set when the user cancels.
    """

    def __init__(self, version: str, engine: Engine, cancelled: threading.Event) -> None:
        self.version, self.engine, self.cancelled = version, engine, cancelled
        self._connection: Connection | None = None

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """Return the version."""
        return plugin_pb2.PluginInfo(version=self.version)

    def CheckConfig(self, request: CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        """Refuse settings that the stand-in does not implement."""
        refusals = config.refusals(values.to_python(request.news))
        failures = [provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in refusals.items()]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> DiffResponse:
        """Return the changed settings; a different cluster replaces everything."""
        olds = values.to_python(request.old_inputs if request.old_inputs.fields else request.olds)
        changed, replaces = config.compare(olds, values.to_python(request.news))
        changes = DiffResponse.DIFF_SOME if changed else DiffResponse.DIFF_NONE
        return DiffResponse(changes=changes, diffs=changed, replaces=replaces)

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Connect to the cluster; an unreachable one is no failure yet."""
        self._connection = Connection(Settings.read(request.variables), self.cancelled, self.engine.warn)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    def Check(self, request: CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        """Complete the inputs."""
        try:
            api_version, kind = check.kind_of(_type_of(request.urn))
        except ValueError as error:
            fail(context, str(error))
        # A thousand models mean thousands of checks: complete inputs are returned unconverted.
        if state.is_complete(request.news, kind):
            return provider_pb2.CheckResponse(inputs=request.news)
        inputs = values.to_python(request.news)
        if refused := check.refusal(kind, inputs):
            failure = provider_pb2.CheckFailure(property=refused[0], reason=refused[1])
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        naming = request.autonaming
        name: str | None = check.autoname(request.urn.rpartition("::")[2], request.randomSeed, naming.proposed_name)
        if naming.mode == CheckRequest.AutonamingOptions.Mode.DISABLE:
            name = None
        connection = self._connected()
        namespace = connection.namespace if connection.is_namespaced(api_version, kind) else None
        inputs = check.complete(inputs, values.plain(values.to_python(request.olds)), name, namespace)
        failures = check.missing_name(inputs)
        return provider_pb2.CheckResponse(
            inputs=values.to_struct(values.marked(inputs, inputs)),
            failures=[provider_pb2.CheckFailure(property="metadata.name", reason=failures)] if failures else [],
        )

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> DiffResponse:
        """Compare the inputs with the last known state, without the cluster."""
        old_inputs, live = state.read(request.olds)
        new = values.plain(values.to_python(request.news))
        try:
            changes = diff.compare(live, old_inputs, new, self._connected().settings.mutable)
            changes = diff.without_ignored(changes, request.ignoreChanges)
        except ValueError as error:
            fail(context, str(error))
        return DiffResponse(
            changes=DiffResponse.DIFF_SOME if changes else DiffResponse.DIFF_NONE,
            replaces=[paths.render(change.path) for change in changes if change.replace],
            deleteBeforeReplace=diff.delete_before_replace(changes, live, new),
            detailedDiff={
                paths.render(change.path): PropertyDiff(
                    kind=_KINDS[change.kind, change.replace], inputDiff=change.kind is diff.Kind.DELETE
                )
                for change in changes
            },
            hasDetailedDiff=True,
        )

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        """Create an object, or preview it."""
        given = values.to_python(request.properties)
        inputs = values.plain(given)
        manager = operations.manager_of(inputs, {}, request.urn)
        if request.preview:
            if values.has_unknowns(request.properties):
                return provider_pb2.CreateResponse(properties=request.properties)
            try:
                made = self._connected().preview(lambda cluster: cluster.make(inputs, manager, dry_run=True))
            except _ERRORS as error:
                fail(context, operations.explain(inputs, error))
            properties = state.write(given, made, manager) if made else request.properties
            return provider_pb2.CreateResponse(properties=properties)
        try:
            made = self._connected().cluster().create(inputs, manager, self._task(request))
        except NotReadyError as error:
            live = error.live
            fail_partially(
                context, operations.id_of(live), state.write(given, live, manager), operations.explain(inputs, error)
            )
        except _ERRORS as error:
            fail(context, operations.explain(inputs, error))
        return provider_pb2.CreateResponse(id=operations.id_of(made), properties=state.write(given, made, manager))

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        """Change an object, or preview the change."""
        given = values.to_python(request.news)
        inputs = values.plain(given)
        old_inputs, old = state.read(request.olds)
        manager = operations.manager_of(inputs, old, request.urn)
        name = old["metadata"]["name"]
        ignored = list(request.ignoreChanges)
        first = state.first(old, old_inputs)

        if request.preview:
            if values.has_unknowns(request.news):
                return provider_pb2.UpdateResponse(properties=request.news)
            try:
                made = self._connected().preview(lambda cluster: cluster.preview_update(inputs, name, ignored, manager))
            except _ERRORS as error:
                fail(context, operations.explain(inputs, error))
            return provider_pb2.UpdateResponse(
                properties=state.write(given, made, manager, first) if made else request.news
            )
        try:
            made = self._connected().cluster().update(inputs, name, ignored, manager, self._task(request))
        except NotReadyError as error:
            written = state.write(given, error.live, manager, first)
            fail_partially(context, request.id, written, operations.explain(inputs, error))
        except _ERRORS as error:
            fail(context, operations.explain(inputs, error))
        return provider_pb2.UpdateResponse(properties=state.write(given, made, manager, first))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        """Return the live object, for a refresh or an import."""
        given = values.to_python(request.inputs)
        _, last = state.read(request.properties)
        try:
            api_version, kind = check.kind_of(_type_of(request.urn))
            live = self._connected().cluster().read(str(last.get("apiVersion") or api_version), kind, request.id)
        except _ERRORS as error:
            fail(context, f"{kind} {request.id}: {operations.one_line(error)}")
        if live is None:
            return provider_pb2.ReadResponse()
        inputs = state.inputs_of(live, values.plain(given))
        marked = values.marked(inputs, given)
        manager, first = operations.manager_of(inputs, last, request.urn), state.first(last, inputs)
        return provider_pb2.ReadResponse(
            id=request.id, properties=state.write(marked, live, manager, first), inputs=values.to_struct(marked)
        )

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        """Delete an object."""
        inputs, last = state.read(request.properties)
        try:
            self._connected().cluster().delete(inputs, last, request.id, self._task(request))
        except _ERRORS as error:
            fail(context, operations.explain(last, error))
        return Empty()

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        """End all waiting."""
        self.cancelled.set()
        return Empty()

    def _connected(self) -> Connection:
        if self._connection is None:
            raise SlipwayError("the engine did not configure the provider; expected Configure before this call")
        return self._connection

    def _task(
        self, request: provider_pb2.CreateRequest | provider_pb2.UpdateRequest | provider_pb2.DeleteRequest
    ) -> Task:
        return Task(request.urn, request.timeout, lambda message: self.engine.status(message, request.urn))


def _type_of(urn: str) -> str:
    """Return a URN's own type: `urn:pulumi:<stack>::<project>::<parent types>$<type>::<name>`."""
    return urn.split("::")[2].rpartition("$")[2]
