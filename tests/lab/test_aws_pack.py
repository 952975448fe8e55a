"""The rules for AWS as a policy pack, asked by the real engine of a program that is none of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import aws_plugin
import pytest
from projects import CHECKOUT

from slipway.tools import toolchain

pytestmark = pytest.mark.policies

PACK = CHECKOUT / "policies" / "pack"
#: The lab's language host cannot run a pack as newer ones do: the engine then looks for this, as for other languages.
RUNTIME = "slipwaypack"

PROGRAM = """
import pulumi
from pulumi_aws import Provider, iam, kms, s3

options = pulumi.ResourceOptions(provider=Provider("aws", region="eu-central-1"))
key = kms.Key("key", enable_key_rotation={rotated}, opts=options)
role = iam.Role("role", assume_role_policy='{trust}', opts=options)
{more}
"""
TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},'
    ' "Action": "sts:AssumeRole"}]}'
)


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python of the pack's own environment."""
    home = toolchain.cache() / "policy-pack"
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
    install = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(PACK / "requirements.txt")]
    subprocess.run([str(python), *install], check=True)
    return python


def preview(directory: Path, python: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Preview a program with the pack."""
    for name in ("state", "pack", "program"):
        (directory / name).mkdir()
    (directory / "program" / "Pulumi.yaml").write_text("name: theirs\nruntime: python\n")
    (directory / "program" / "__main__.py").write_text(program)
    settings = (PACK / "PulumiPolicy.yaml").read_text()
    (directory / "pack" / "PulumiPolicy.yaml").write_text(settings.replace("name: python", f"name: {RUNTIME}"))
    tools = aws_plugin.write_launcher(directory / "bin")
    analyzer = tools / f"pulumi-analyzer-policy-{RUNTIME}"
    analyzer.write_text(f'#!/bin/sh\nexec env -u PYTHONPATH "{python}" -u "{PACK}" "$1"\n')
    analyzer.chmod(0o755)
    own = Path(sys.executable).parent
    entries = [tools, own, *toolchain.path_entries()]
    environ = {
        **os.environ,
        "PATH": os.pathsep.join([*map(str, entries), os.environ["PATH"]]),
        **aws_plugin.environ(directory),
    }
    where = {"cwd": directory / "program", "env": environ, "text": True, "capture_output": True}
    subprocess.run(["pulumi", "stack", "init", "test"], check=True, **where)  # type: ignore[call-overload]
    command = ["pulumi", "preview", "--stack=test", f"--policy-pack={directory / 'pack'}", "--color=never"]
    done: subprocess.CompletedProcess[str] = subprocess.run(command, check=False, **where)  # type: ignore[call-overload]
    return done


def test_what_is_safe_passes(tmp_path, python):
    done = preview(tmp_path, python, PROGRAM.format(rotated=True, trust=TRUST, more=""))
    assert done.returncode == 0, done.stdout
    assert "slipway-aws" in done.stdout
    assert "[mandatory]" not in done.stdout


def test_what_is_not_is_refused_in_the_words_of_the_rules(tmp_path, python):
    trust = TRUST.replace('{"Service": "ec2.amazonaws.com"}', '"*"')
    more = 's3.Bucket("open", acl="public-read", force_destroy=True, opts=options)'
    done = preview(tmp_path, python, PROGRAM.format(rotated=False, trust=trust, more=more))
    assert done.returncode != 0
    for said in (
        "is never changed; set enableKeyRotation to true",
        "assumeRolePolicy: allows everybody; name the principal",
        "lets what was written be overwritten for good; set objectLockEnabled to true",
        "is opened by an ACL; remove acl",
        "takes its objects with it; remove forceDestroy",
        "aws:s3/bucket:Bucket open: has no BucketPublicAccessBlock of its name; declare one",
    ):
        assert said in done.stdout, said
