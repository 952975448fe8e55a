"""Records the state that `pulumi up` of this checkout makes for stack `local`; tests/upgrade/record.py says when.

.venv/bin/python -m pytest -q tests/lab/record_local.py
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import boto3
from local_stack import ISVC, MODEL, Stack
from upgrade.recording import RECORDED

#: What that version left.
HOME = RECORDED / "local"
#: What differs between two labs of the same objects: the directory of its kubeconfig.
LAB = "<lab>"
#: The bytes of the model, by bucket and key.
STORE = "store.tar.xz"
#: The version of the model with the fewest bytes.
VERSION = 3
TIME = re.compile(r"20\d\d-\d\d-\d\dT[\d:.]+Z")


def test_record(lab: Any, tmp_path: Path) -> None:
    stack = Stack(lab, tmp_path)
    stack.promote(VERSION)
    stack.start()
    # As every user has it: the first `up` was before Flagger had taken over.
    stack.up("--expect-no-changes")
    shutil.rmtree(HOME, ignore_errors=True)
    (HOME / "models").mkdir(parents=True)
    shutil.copy(tmp_path / "models" / f"{MODEL}.yaml", HOME / "models")
    environment = {**stack.env, "SLIPWAY_PROJECT": str(tmp_path)}
    slipway = [sys.executable, "-c", "from slipway.cli import main; main()", "release", "create", MODEL]
    done = subprocess.run(
        [*slipway, "--alias", "champion"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    shutil.copytree(tmp_path / "releases", HOME / "releases")
    (service,) = lab.kube.list(*ISVC, "models")
    keep(lab, service["spec"]["predictor"]["model"]["storageUri"])
    state = tidy(stack.pulumi("stack", "export").stdout)
    for name, text in (("state.json", state), (stack.settings.name, stack.settings.read_text())):
        (HOME / name).write_text(text.replace(os.fspath(lab.project), LAB))
    stack.pulumi("destroy", "--yes", "--skip-preview")


def tidy(state: str) -> str:
    """Leave out of a state when and by which lines of code it was made: no operation reads that."""
    content = json.loads(state)
    for resource in content["deployment"]["resources"]:
        for key in ("created", "modified", "sourcePosition", "stackTrace"):
            resource.pop(key, None)
    return TIME.sub("2000-01-01T00:00:00Z", json.dumps(content, indent=1, sort_keys=True)) + "\n"


def keep(lab: Any, uri: str) -> None:
    """Write the bytes of a model."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    store = boto3.client("s3", **access(lab))
    with tarfile.open(HOME / STORE, "w:xz", preset=9) as archive:
        for each in store.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/")["Contents"]:
            content = store.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            entry = tarfile.TarInfo(f"{bucket}/{each['Key']}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def access(lab: Any) -> dict[str, str]:
    """Return what boto3 needs for the lab's object store."""
    return {
        "endpoint_url": lab.s3_url,
        "region_name": lab.env["AWS_REGION"],
        "aws_access_key_id": lab.env["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": lab.env["AWS_SECRET_ACCESS_KEY"],
    }
