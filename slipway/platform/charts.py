"""Rendering of the pinned charts by helm.

A chart is a directory of a Go module whose version is in `tools/charts/go.mod`; go.sum holds the digest of its bytes,
and Go refuses others. Rendering uses neither cluster nor network, so equal values give equal objects.
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

#: libyaml's loader is ten times faster than the pure one.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Values = Mapping[str, Any]

#: Kinds that charts test; without a cluster helm knows only groups and versions.
KINDS = ("policy/v1/PodDisruptionBudget",)


@dataclass(frozen=True)
class Chart:
    """One chart.

    Args:
        name: Name of the release, which prefixes the names of objects.
        path: Path below the files of `tools/charts`.
        namespace: Namespace of its objects.
        open: Dotted keys of values below which any key is allowed (labels, node selectors …).
        without: Dependencies to remove; helm refuses a chart whose dependencies are missing.
        version: Version of a chart whose module only has a template of Chart.yaml.
    """

    name: str
    path: str
    namespace: str
    open: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    version: str | None = None


@dataclass(frozen=True)
class Charts:
    """Renderer of charts.

    Args:
        helm: The binary.
        files: Root of the files of `tools/charts`: one directory for each module.
        kept: Cache of results, because rendering all charts takes seconds. The key holds the values and the paths of
            helm and the files, which contain a hash of their pins.
        kubernetes: Version of the cluster, which charts test.
    """

    helm: Path
    files: Path
    kept: Path | None = None
    kubernetes: str = "1.36.3"

    def render(self, chart: Chart, values: Values) -> tuple[Object, ...]:
        """Render a chart with its CRDs; hooks are left out, because nothing would run them in order.

        Raises:
            SlipwayError: A value is unknown to the chart, or helm refuses it.
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
            # Notes precede the error, and advice follows it.
            found = re.search(r"^Error: (.*)$", done.stderr, re.MULTILINE)
            reason = found.group(1) if found else f"exit {done.returncode}"
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
    """Yield the chart, or a copy whose Chart.yaml exists and names no missing dependency."""
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
    """Refuse values that the chart does not know, which helm would ignore.

    Raises:
        SlipwayError: Names the key and the nearest known one.
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
    """Set an object's namespace where the chart leaves that to `helm install`; cluster-wide kinds have none."""
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
