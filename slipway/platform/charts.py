"""The pinned charts, rendered by the real helm.

A chart is a directory of a Go module whose version stands in `tools/charts/go.mod`; go.sum holds the digest of all its
bytes, and Go refuses others. Rendering asks no cluster and no network, so the same values give the same objects.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from slipway import documents
from slipway.errors import ExitCode, SlipwayError
from slipway.objects import Object

#: libyaml's, ten times faster; its type is the pure one's.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Values = Mapping[str, Any]

#: Kinds that charts ask for: without a cluster helm knows groups with their versions alone.
KINDS = ("policy/v1/PodDisruptionBudget",)


@dataclass(frozen=True)
class Chart:
    """One chart.

    Args:
        name: Of the release; charts name their objects after it.
        path: In the files that `tools/charts` brings.
        namespace: Where its objects go.
        open: Dotted keys of its values below which any key may stand (labels, node selectors …).
        without: Charts that it wants beside itself, fetched from elsewhere; helm refuses it as long as it names them.
        version: Of one that gets its Chart.yaml when it is released: the module has a template of that.
    """

    name: str
    path: str
    namespace: str
    open: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    version: str | None = None


@dataclass(frozen=True)
class Charts:
    """Renders charts.

    Args:
        helm: The binary.
        files: Root of the files that `tools/charts` brings: one directory for each module.
        kept: Where results are kept: rendering all of them takes seconds, which every preview would pay. What it is
            made of stands in the paths of helm with the files (a hash of their pins) beside the values.
        kubernetes: The cluster's version, which charts ask for.
    """

    helm: Path
    files: Path
    kept: Path | None = None
    kubernetes: str = "1.36.3"

    def render(self, chart: Chart, values: Values) -> tuple[Object, ...]:
        """Render a chart with its CRDs; hooks are left out, since nothing would run them in their order.

        Raises:
            SlipwayError: The chart does not know a value, or helm refuses it.
        """
        check_values(chart, values, _yaml(self.files / chart.path / "values.yaml"))
        return tuple(in_namespace(each, chart.namespace) for each in self._rendered(chart, values))

    def _rendered(self, chart: Chart, values: Values) -> list[Object]:
        options = [f"--namespace={chart.namespace}", "--include-crds", "--no-hooks"]
        options += [f"--kube-version={self.kubernetes}", *(f"--api-versions={each}" for each in KINDS)]
        if not self.kept:
            return list(self._render(chart, options, values))
        key = json.dumps([str(self), repr(chart), options, values], sort_keys=True)
        file = self.kept / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
        if not file.exists():
            documents.write_text(file, json.dumps(list(self._render(chart, options, values))))
        found: list[Object] = json.loads(file.read_text())
        return found

    def _render(self, chart: Chart, options: list[str], values: Values) -> Iterator[Object]:
        with _complete(self.files / chart.path, chart) as source:
            command = [str(self.helm), "template", chart.name, str(source), "--values=-", *options]
            done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True)
        if done.returncode:
            # Notes stand before it, advice behind it.
            said = re.search(r"^Error: (.*)$", done.stderr, re.MULTILINE)
            reason = said.group(1) if said else f"exit {done.returncode}"
            raise SlipwayError(f"chart {chart.name}: helm could not render it: {reason}")
        yield from filter(None, yaml.load_all(done.stdout, _Loader))

    def read(self, pattern: str) -> tuple[Object, ...]:
        """Read the objects of all files of a pattern as they are, in the order of the files' names.

        Raises:
            SlipwayError: There are none.
        """
        found = sorted(self.files.glob(pattern))
        if not found:
            raise SlipwayError(f"{self.files / pattern}: missing; run `make tools` again", ExitCode.MACHINE)
        return tuple(each for file in found for each in yaml.load_all(file.read_text(), _Loader) if each)


@contextmanager
def _complete(home: Path, chart: Chart) -> Iterator[Path]:
    """Give a chart as it is, or a copy that helm takes: with a Chart.yaml, which names no chart that is not there."""
    if not chart.without and not chart.version:
        yield home
        return
    about = dict(_yaml(home / ("Chart.template.yaml" if chart.version else "Chart.yaml")))
    about["dependencies"] = [each for each in about.get("dependencies", ()) if each["name"] not in chart.without]
    if chart.version:
        about |= {"version": chart.version, "appVersion": chart.version}
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / home.name
        shutil.copytree(home, copy, ignore=shutil.ignore_patterns("Chart.lock"))
        (copy / "Chart.yaml").write_text(json.dumps(about))
        yield copy


def check_values(chart: Chart, values: Values, known: Values) -> None:
    """Refuse a value that the chart does not know: helm itself would take it silently.

    Raises:
        SlipwayError: Names the key with the nearest one that there is.
    """
    for key, siblings in _unknown(values, known, chart.open):
        near = documents.nearest(key.rpartition(".")[2], siblings)
        hint = f"nearest is {near!r}" if near else f"it knows {', '.join(sorted(siblings)) or 'nothing there'}"
        raise SlipwayError(f"chart {chart.name}: unknown value {key}; {hint}")


def _unknown(given: Values, known: Values, free: tuple[str, ...], path: str = "") -> Iterator[tuple[str, list[str]]]:
    for key, value in given.items():
        here = f"{path}{key}"
        if here in free:
            continue
        if key not in known:
            yield here, [str(each) for each in known]
        elif isinstance(value, Mapping) and isinstance(known[key], Mapping):
            yield from _unknown(value, known[key], free, f"{here}.")


def in_namespace(obj: Object, namespace: str) -> Object:
    """Say an object's namespace where the chart leaves that to `helm install`; a cluster-wide kind has none."""
    if obj["kind"] in CLUSTER_WIDE or obj["metadata"].get("namespace"):
        return obj
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


#: Kinds of the charts in use that have no namespace.
CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterServingRuntime",
        "ClusterStorageContainer",
        "CustomResourceDefinition",
        "GatewayClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PriorityClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)


def _yaml(file: Path) -> Values:
    try:
        found: Values = yaml.load(file.read_text(), _Loader) or {}
    except OSError:
        raise SlipwayError(f"{file}: missing; run `make tools` again", ExitCode.MACHINE) from None
    return found
