"""What is made of the answers of AWS."""

from __future__ import annotations

from typing import Any

import botocore.exceptions
import pytest
import requests
from on_aws import REGION, WHERE, on_aws

from slipway.aws import access, account
from slipway.aws.account import GPU, STANDARD
from slipway.errors import ExitCode, SlipwayError
from slipway.settings.aws import NodePool


def test_an_unknown_region_is_told_with_the_nearest_one_and_nobody_is_asked():
    with pytest.raises(SlipwayError, match=f"{WHERE}.region: AWS has no region 'eu-centrl-1' with EKS; nearest is"):
        account.check(on_aws(region="eu-centrl-1"), lambda _: pytest.fail("asked"))


def test_an_unknown_region_for_copies_of_images_is_told():
    with pytest.raises(SlipwayError, match=f"{WHERE}.replicate_to: AWS has no region 'mars-1' with EKS"):
        account.check(on_aws(replicate_to=["mars-1"]), lambda _: pytest.fail("asked"))


def test_needs_are_summed_up_by_the_quota_that_counts_them():
    pools = {
        "one": NodePool(instance_types=("m7i.xlarge",), minimum=2, maximum=4),
        "two": NodePool(instance_types=("c7i.large", "m7i.large"), maximum=3),
        "spot": NodePool(instance_types=("m7i.xlarge",), capacity="spot", maximum=5),
        "gpu": NodePool(instance_types=("g6.xlarge",), minimum=1, maximum=2, gpu=True),
        "uncounted": NodePool(instance_types=("p5.48xlarge",), maximum=1, gpu=True),
    }
    cpus = {"m7i.xlarge": 4, "c7i.large": 2, "g6.xlarge": 4, "p5.48xlarge": 192}
    assert account.needs(pools, cpus) == {
        STANDARD["on-demand"]: (8, 22),
        STANDARD["spot"]: (0, 20),
        GPU["on-demand"]: (4, 8),
    }


def error_of_service(code: str) -> Exception:
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "You may not.\nReally."}}, "DoIt")


@pytest.mark.parametrize(
    ("error", "said", "code"),
    [
        (botocore.exceptions.NoCredentialsError(), "no AWS credentials; sign in", ExitCode.UNREACHABLE),
        (botocore.exceptions.ProfileNotFound(profile="x"), "no AWS credentials; sign in", ExitCode.UNREACHABLE),
        (error_of_service("ExpiredToken"), "does not take the credentials (ExpiredToken)", ExitCode.UNREACHABLE),
        (error_of_service("AccessDenied"), "AWS refuses (AccessDenied): You may not.", ExitCode.USER),
        (
            botocore.exceptions.EndpointConnectionError(endpoint_url="https://x"),
            "AWS cannot be reached (EndpointConnectionError)",
            ExitCode.UNREACHABLE,
        ),
    ],
)
def test_why_aws_gave_no_answer_is_one_line(error, said, code):
    told = account.explain(error, WHERE)
    assert str(told).startswith(f"{WHERE}: ")
    assert said in str(told)
    assert "\n" not in str(told)
    assert told.exit_code is code


def test_a_cluster_that_is_being_made_is_not_asked_yet(monkeypatch):
    class Eks:
        def describe_cluster(self, name: str) -> Any:
            return {"cluster": {"status": "CREATING"}}

    with pytest.raises(SlipwayError, match="cluster slipway-prod is CREATING; wait until it is ACTIVE"):
        access.config(on_aws(), lambda _: Eks())


def test_a_token_is_kept_until_it_is_about_to_end(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(access.time, "monotonic", lambda: now)
    made: list[str] = []
    monkeypatch.setattr(access, "token", lambda *_: made.append("t") or f"t{len(made)}")
    sign, request = access.Token("slipway-prod", REGION), requests.Request("GET", "https://x").prepare()
    assert sign(request).headers["Authorization"] == "Bearer t1"
    now += access.RENEW_AFTER
    assert sign(request).headers["Authorization"] == "Bearer t1"
    now += 1
    assert sign(request).headers["Authorization"] == "Bearer t2"
