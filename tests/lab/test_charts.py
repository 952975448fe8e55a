"""Charts rendered by the real helm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.errors import ExitCode, SlipwayError
from slipway.platform.charts import Chart, Charts
from slipway.tools import toolchain

CHART = Chart("demo", "demo", "demo-system")
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: '{{ .Release.Name }}-{{ required "size is needed" .Values.size }}'}
"""


@pytest.fixture
def charts(tmp_path: Path) -> Charts:
    """A chart with one object of each sort that is treated differently."""
    home = tmp_path / "demo"
    files: dict[str, Any] = {
        "Chart.yaml": {"apiVersion": "v2", "name": "demo", "version": "1.0.0"},
        "values.yaml": {"size": None, "color": "red"},
        "templates/config.yaml": TEMPLATE,
        "templates/role.yaml": {"apiVersion": "rbac/v1", "kind": "ClusterRole", "metadata": {"name": "a"}},
        "templates/elsewhere.yaml": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "b"}},
        "templates/hook.yaml": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "hook", "annotations": {"helm.sh/hook": "pre-install"}},
        },
        "crds/crd.yaml": {"apiVersion": "v1", "kind": "CustomResourceDefinition", "metadata": {"name": "c"}},
    }
    for name, content in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return Charts(toolchain.binary("helm"), tmp_path)


def test_definitions_are_rendered_hooks_are_not_and_each_object_says_its_namespace(charts: Charts) -> None:
    found = {each["kind"]: each["metadata"] for each in charts.render(CHART, {"size": 3})}
    assert found == {
        "CustomResourceDefinition": {"name": "c"},
        "ClusterRole": {"name": "a"},
        "ConfigMap": {"name": "demo-3", "namespace": "demo-system"},
        "Secret": {"name": "a", "namespace": "b"},
    }


def test_what_helm_says_is_said_in_one_line(charts: Charts) -> None:
    with pytest.raises(SlipwayError) as caught:
        charts.render(CHART, {})
    said = str(caught.value)
    assert said.startswith("chart demo: helm could not render it: ")
    assert said.endswith("size is needed")


def test_a_chart_that_names_others_is_rendered_without_them(charts: Charts) -> None:
    about = {"apiVersion": "v2", "name": "demo", "version": "1.0.0"}
    wanted = {"name": "other", "version": "1.0.0", "repository": "https://charts.example.com"}
    (charts.files / "demo/Chart.yaml").write_text(yaml.safe_dump({**about, "dependencies": [wanted]}))
    with pytest.raises(SlipwayError, match="missing in charts/ directory: other"):
        charts.render(CHART, {"size": 3})
    alone = Chart("demo", "demo", "demo-system", without=("other",))
    assert len(charts.render(alone, {"size": 3})) == 4


def test_what_was_rendered_once_is_not_rendered_again(charts: Charts, tmp_path: Path) -> None:
    keeping = Charts(charts.helm, charts.files, tmp_path / "kept")
    first = keeping.render(CHART, {"size": 3})
    (charts.files / "demo/templates/config.yaml").write_text("{{ fail }}")
    assert keeping.render(CHART, {"size": 3}) == first
    with pytest.raises(SlipwayError):
        keeping.render(CHART, {"size": 4})


def test_a_missing_chart_says_what_to_do(charts: Charts) -> None:
    with pytest.raises(SlipwayError, match=r"nothing/values.yaml: missing; run `make tools` again") as caught:
        charts.render(Chart("nothing", "nothing", "a"), {})
    assert caught.value.exit_code is ExitCode.MACHINE


def test_charts_that_cannot_be_fetched_are_said_in_one_line_and_fetched_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    with monkeypatch.context() as away:
        away.setenv("GOMODCACHE", str(tmp_path / "modules"))
        away.setenv("GOPROXY", "http://127.0.0.1:1")
        with pytest.raises(SlipwayError) as caught:
            toolchain._build(str(toolchain.go()), "charts")
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert str(caught.value).startswith("tools/charts: github.com/")
    assert str(caught.value).endswith(
        "connection refused; check the network or GOPROXY, then run `make tools` again, which goes on"
    )
    with pytest.raises(SlipwayError, match="charts: not built yet; run `make tools` first"):
        toolchain.data("charts")
    toolchain._build(str(toolchain.go()), "charts")
    assert (toolchain.data("charts") / "github.com/kyverno/kyverno/charts/kyverno/Chart.yaml").is_file()
