"""Stack `local` of a project with demo models, as a user's shell would run it against the lab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from projects import CHECKOUT, Project

from slipway.engine.deploy import Deployment
from slipway.engine.killed_runs import write_launcher
from slipway.rollout.state import read

MODEL = "diabetes-progression"
ISVC = ("serving.kserve.io/v1beta1", "InferenceService")
CANARY = ("flagger.app/v1beta1", "Canary")
SERVICE = ("v1", "Service")

#: Seconds, on two busy cores; a run that takes longer hangs.
UP = 300
READY = 90
#: The same for a whole rollout of three steps, ten seconds each at least.
ROLLOUT = 240

SEED = """
import os, sys
from slipway.lab.seed.recipes import DEMO_MODELS
from slipway.lab.seed.registry import seed_registry
models = [model for model in DEMO_MODELS if model.name in sys.argv[1:]]
seed_registry(os.environ["MLFLOW_TRACKING_URI"], "a" * 40, models)
"""
ALIAS = """
import os, sys, mlflow
client = mlflow.MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
client.set_registered_model_alias(sys.argv[1], "champion", sys.argv[2])
"""


class Stack:
    """Stack `local` of a project with a state and a registry of its own.

    Args:
        lab: The lab of the tests.
        root: An empty directory.
        models: Which of the demo's models it has.
    """

    def __init__(self, lab: Any, root: Path, models: Sequence[str] = (MODEL,)) -> None:
        self.lab, self.kube, self.root, self.models = lab, lab.kube, root, models
        Project(root)
        for model in models:
            (root / "models" / f"{model}.yaml").write_text((CHECKOUT / "models" / f"{model}.yaml").read_text())
        self.settings = root / "Pulumi.local.yaml"
        self.set(cluster={"identifier": "lab", "kubeconfig": str(lab.kubeconfig)})
        (root / "state").mkdir()
        self.env = {
            **lab.env,
            "PULUMI_BACKEND_URL": f"file://{root / 'state'}",
            "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        launcher = write_launcher(root / "bin")
        self.env["PATH"] = os.pathsep.join([str(launcher.parent), self.env["PATH"]])
        self.seed()
        self.pulumi("stack", "init")

    def seed(self) -> None:
        """Train the models, register them, promote their first versions."""
        self.python(SEED, *self.models)

    def set(self, **settings: Any) -> None:
        content = yaml.safe_load(self.settings.read_text())
        content["config"] |= {f"slipway:{key}": value for key, value in settings.items()}
        self.settings.write_text(yaml.safe_dump(content, sort_keys=False))

    def python(self, code: str, *arguments: str) -> None:
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=UP)
        assert done.returncode == 0, done.stderr[-3000:]

    def promote(self, version: int, model: str = MODEL) -> None:
        """Say in the registry that a version is ready."""
        self.python(ALIAS, model, str(version))

    def command(self, *arguments: str) -> list[str]:
        return ["pulumi", *arguments, "--non-interactive", "--color=never", "--stack=local"]

    def pulumi(
        self, *arguments: str, check: bool = True, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), cwd=self.root, env=env or self.env, capture_output=True, text=True, timeout=UP
        )
        assert not check or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done

    def start(self) -> None:
        """Deploy all models; return once Flagger has taken each of them over."""
        self.up()
        for model in self.models:
            self.phase("Initialized", model=model)

    def up(self, *arguments: str) -> str:
        return self.pulumi("up", "--yes", *arguments).stdout

    def deployment(self, **environ: str) -> Deployment:
        return Deployment(self.root, "local", {**self.env, **environ})

    def state(self) -> dict[str, Any]:
        """What the state holds, without what differs between two equal runs."""
        deployment = json.loads(self.pulumi("stack", "export").stdout)["deployment"]
        kept = ("type", "id", "inputs", "parent", "dependencies", "protect", "initErrors")
        found = {}
        for resource in deployment["resources"]:
            entry = {key: resource.get(key) for key in kept}
            entry["dependencies"] = sorted(entry["dependencies"] or ())
            if resource["type"].startswith("pulumi:providers:"):
                entry["id"] = "random"
            found[resource["urn"]] = entry
        return found

    def cluster(self) -> dict[str, Any]:
        """The specs of the objects that the stack makes, without what KServe derives from them."""
        label = f"slipway.dev/model={MODEL}"
        return {
            f"{kind[1]} {item['metadata']['name']}": item["spec"]
            for kind in (ISVC, SERVICE, CANARY)
            for item in self.kube.list(*kind, "models", label)
            if not item["metadata"].get("ownerReferences") or item["metadata"]["name"].startswith(f"{MODEL}-canary")
        }

    def everything(self) -> dict[str, Any]:
        """The specs of all objects in the namespace."""
        return {
            f"{kind[1]} {item['metadata']['name']}": item["spec"]
            for kind in (ISVC, SERVICE, CANARY)
            for item in self.kube.list(*kind, "models")
        }

    def primary_selects(self, service: str) -> None:
        """Return once users are served by an InferenceService, and Flagger is done."""
        model, pods = service.rpartition("-v")[0], {"app": f"isvc.{service}-predictor"}
        self.kube.wait_for(
            *SERVICE, f"{model}-primary", "models", lambda it: it["spec"]["selector"] == pods, timeout=ROLLOUT
        )
        self.phase("Succeeded", model=model)

    def served(self, model: str) -> str:
        """Say which InferenceService answers users."""
        selector = self.kube.get(*SERVICE, f"{model}-primary", "models")["spec"]["selector"]
        return str(selector["app"]).removeprefix("isvc.").removesuffix("-predictor")

    def ended(self, service: str) -> str:
        """Return how the rollout of an InferenceService ended, once it has: the phase of the last one is none of it."""
        model, version = service.rpartition("-v")[0], int(service.rpartition("-v")[2])

        def over(_: dict[str, Any]) -> bool:
            state = read(self.kube, "models", [model])[model]
            tried = version in (state.seen.live_version, state.candidate)
            return tried and state.situation(time.time()) in ("settled", "failed", "swallowed")

        canary = self.kube.wait_for(*CANARY, model, "models", over, timeout=ROLLOUT)
        return str(canary["status"]["phase"])

    def phase(self, *wanted: str, model: str = MODEL) -> dict[str, Any]:
        """Return the Canary once it is in one of the wanted phases."""
        return self.kube.wait_for(
            *CANARY, model, "models", lambda it: it.get("status", {}).get("phase") in wanted, timeout=ROLLOUT
        )
