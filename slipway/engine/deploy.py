"""The adapter to Pulumi's Automation API for one stack of this project."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.engine import state_lock
from slipway.engine.killed_runs import PROJECT, real_pulumi, without_pending_creates
from slipway.engine.program import HELD_BACK, OUTCOME, read_outcome
from slipway.errors import ExitCode, SlipwayError

if TYPE_CHECKING:
    from pulumi import automation
    from pulumi.automation.events import EngineEvent

#: The engine's marks for colours in the messages of events.
_COLOUR = re.compile(r"<\{%[^%]*%\}>")
#: Messages that Pulumi adds to any failure, without information.
_EMPTY_ERRORS = ("update failed", "preview failed", "refresh failed", "destroy failed", "an unhandled error occurred:")
#: Pulumi's messages about passphrases (pkg/secrets/passphrase/manager.go).
_NO_PASSPHRASE = "passphrase must be set"
_WRONG_PASSPHRASE = "incorrect passphrase"
#: Start of pulumi-kubernetes' error for an unreachable cluster (provider/pkg/provider/provider.go).
_UNREACHABLE = "configured Kubernetes cluster is unreachable: "
#: Heading above the errors of a resource (hashicorp/go-multierror's format).
_HEADING = re.compile(r"(error: )?\d+ errors? occurred:")
_PENDING = "pending operations from previous deployment"
#: Start of Pulumi's message about a plugin from PATH; `slipway lab` reports that once.
_AMBIENT_PLUGIN = "using pulumi-"


@dataclass(frozen=True)
class Step:
    """A step of the engine for one resource; `done` marks its end."""

    op: str
    type: str
    name: str
    done: bool = False
    failed: bool = False


@dataclass(frozen=True)
class ModelOutputs:
    """Outputs of the program for one model."""

    url: str
    release: str
    digest: str
    version: int
    #: Directory of its files, in an environment that is delivered by Git.
    path: str = ""


@dataclass(frozen=True)
class Summary:
    """Result of an operation or of its preview.

    Args:
        changes: Number of resources by operation; `same` is one of them.
        models: Outputs of the stack by model; empty for a preview.
        warnings: Warnings of the program and the engine.
        messages: Other messages of the program, mostly notices.
    """

    changes: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, ModelOutputs] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


OnStep = Callable[[Step], None]


@dataclass
class _Heard:
    """Events of a running engine."""

    changes: Mapping[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


class Deployment:
    """One stack of this project.

    Args:
        project: Directory of Pulumi.yaml.
        stack: The stack's name.
        environ: Variables for Pulumi in addition to this process's environment.
    """

    def __init__(self, project: Path, stack: str, environ: Mapping[str, str] | None = None) -> None:
        self.project, self.stack = project, stack
        own = {**os.environ, **(environ or {})}
        # The language host runs the first `python` on PATH, which must have the SDK.
        own["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), own.get("PATH", os.defpath)])
        # Otherwise the engine downloads the plugin of every installed SDK, even if the stack does not use it.
        own.setdefault("PULUMI_OPTION_SKIP_PLUGIN_PRE_INSTALL", "true")
        self._environ = own

    def preview(self, on_step: OnStep | None = None) -> Summary:
        """Preview an `up` without changes."""
        return self._run("preview", on_step)

    def up(self, on_step: OnStep | None = None, held_back: str | None = None) -> Summary:
        """Apply the project to the cluster, also after a run that was killed.

        Args:
            on_step: Called with each step of the engine.
            held_back: The model whose target goes back to the serving version, if any.
        """
        if self.break_dead_locks():
            self.clear_pending_creates()
        summary = self._run("up", on_step, held_back)
        if any(_PENDING in warning for warning in summary.warnings):
            self.clear_pending_creates()
        return summary

    def destroy(self, on_step: OnStep | None = None) -> Summary:
        """Delete the stack's resources."""
        if self.break_dead_locks():
            self.clear_pending_creates()
        return self._run("destroy", on_step)

    def outputs(self) -> dict[str, ModelOutputs]:
        """Return the last `up`'s outputs by model."""
        from pulumi import automation

        try:
            found = self._select().outputs().get("models")
        except automation.CommandError as error:
            raise self._explain(error, _Heard()) from None
        models = found.value if found else {}
        return {name: ModelOutputs(**values) for name, values in sorted(models.items())}

    def break_dead_locks(self) -> list[str]:
        """Delete the locks of runs that were killed on this host; return a sentence for each."""
        return state_lock.break_dead(PROJECT, self.stack, self._environ)

    def clear_pending_creates(self) -> None:
        """Remove a killed run's pending creations; the next `up` repeats them and adopts existing objects."""
        from pulumi import automation

        stack = self._select()
        state = stack.export_stack()
        kept = without_pending_creates(state.deployment or {})
        if kept is not None:
            stack.import_stack(automation.Deployment(version=state.version, deployment=kept))

    def _run(self, operation: str, on_step: OnStep | None, held_back: str | None = None) -> Summary:
        from pulumi import automation

        heard = _Heard()

        def on_event(event: EngineEvent) -> None:
            _listen(event, heard, on_step)

        with tempfile.TemporaryDirectory(prefix="slipway-") as directory:
            outcome = Path(directory) / "outcome.json"
            variables = {OUTCOME: str(outcome), **({HELD_BACK: held_back} if held_back else {})}
            try:
                stack = self._select(variables)
                # A preview has no results that could show the configuration's secrets.
                hidden = {} if operation == "preview" else {"show_secrets": False}
                getattr(stack, operation)(on_event=on_event, color="never", **hidden)
            except automation.CommandError as error:
                raise read_outcome(outcome) or self._explain(error, heard) from None
        return Summary(
            changes=heard.changes,
            models=self.outputs() if operation == "up" else {},
            warnings=tuple(heard.warnings),
            messages=tuple(heard.messages),
        )

    def _select(self, variables: Mapping[str, str] | None = None) -> automation.Stack:
        from pulumi import automation

        environ = {**self._environ, **(variables or {})}
        try:
            options = automation.LocalWorkspaceOptions(env_vars=environ, pulumi_command=self._command())
            return automation.create_or_select_stack(self.stack, work_dir=str(self.project), opts=options)
        except automation.CommandError as error:
            raise self._explain(error, _Heard()) from None

    def _command(self) -> automation.PulumiCommand:
        """Return Pulumi on the PATH that it will have; the Automation API searches this process's PATH."""
        from pulumi import automation

        found = real_pulumi(self._environ["PATH"])
        if found is None:
            raise SlipwayError(
                "pulumi: not on PATH; `source .slipway/env`, or install it from pulumi.com", ExitCode.MACHINE
            )
        binary = Path(found)
        return automation.PulumiCommand(root=str(binary.parents[1]) if binary.parent.name == "bin" else None)

    def _explain(self, error: automation.CommandError, heard: _Heard) -> SlipwayError:
        """Return a one-line error for a command that failed outside of the program."""
        from pulumi import automation

        said = str(error)
        name = f"stack {self.stack}: "
        if _NO_PASSPHRASE in said:
            return SlipwayError(
                f"{name}the passphrase is missing; set PULUMI_CONFIG_PASSPHRASE_FILE or PULUMI_CONFIG_PASSPHRASE"
                " (`source .slipway/env` does for the lab)"
            )
        if _WRONG_PASSPHRASE in said:
            return SlipwayError(f"{name}not the passphrase that its state was written with; set the right one")
        if isinstance(error, automation.ConcurrentUpdateError):
            owner = re.search(r"created by (\S+) \(pid (\d+)\)", said)
            by = f" ({owner[1]}, pid {owner[2]})" if owner else ""
            return SlipwayError(f"{name}locked by another run{by}; wait until it has ended", ExitCode.BUSY)
        errors = [line for line in heard.errors if not line.startswith(_EMPTY_ERRORS)]
        if not errors:
            # The Automation API prefixes the first line with the name of the stream.
            lines = [line.strip().removeprefix("stderr: ") for line in said.splitlines()]
            errors = [line for line in lines if line.startswith("error:")] or [name + "failed"]
        first, rest = errors[0].removeprefix("error: "), len(set(errors)) - 1
        code = ExitCode.UNREACHABLE if _UNREACHABLE in first else ExitCode.USER
        return SlipwayError(f"{first} (+{rest} more)" if rest else first, code)


def gist(said: str) -> str:
    """Return the first line of an error that is not a heading (`1 error occurred:`)."""
    lines = [line.strip().removeprefix("* ") for line in said.splitlines() if line.strip()]
    return next((line for line in lines if not _HEADING.fullmatch(line)), lines[0])


def _listen(event: EngineEvent, heard: _Heard, on_step: OnStep | None) -> None:
    if event.diagnostic_event and not event.diagnostic_event.ephemeral:
        said = _COLOUR.sub("", event.diagnostic_event.message).strip()
        severity = event.diagnostic_event.severity
        lists = {"error": heard.errors, "warning": heard.warnings, "info": heard.messages}
        if severity in lists and said and not said.startswith(_AMBIENT_PLUGIN):
            lists[severity].append(gist(said) if severity == "error" else said)
    elif event.summary_event:
        heard.changes = {str(getattr(op, "value", op)): n for op, n in event.summary_event.resource_changes.items()}
    elif on_step is not None:
        begun, ended, failed = event.resource_pre_event, event.res_outputs_event, event.res_op_failed_event
        if happened := begun or ended or failed:
            what = happened.metadata
            op = str(getattr(what.op, "value", what.op))
            on_step(Step(op, what.type, what.urn.rpartition("::")[2], done=begun is None, failed=failed is not None))
