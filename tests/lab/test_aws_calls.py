"""What our own code asks AWS, against moto."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import requests
from botocore.stub import Stubber
from moto import mock_aws
from on_aws import ACCOUNT, REGION, ROLE, WHERE, on_aws

from slipway.aws import access, account
from slipway.errors import NotYet, SlipwayError
from slipway.settings.aws import default_pools


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[None]:
    """Be somebody at moto."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.setenv(name, "testing")
        patch.delenv("AWS_PROFILE", raising=False)
        with mock_aws():
            yield


@pytest.fixture
def ask():
    """Ask as a session of the role that the settings name; moto has no quotas of EC2, so these are given."""

    def client(limit: float = 10_000, role: str = "slipway") -> account.Client:
        session = boto3.client("sts", region_name=REGION).assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="ci"
        )["Credentials"]
        credentials = {
            "aws_access_key_id": session["AccessKeyId"],
            "aws_secret_access_key": session["SecretAccessKey"],
            "aws_session_token": session["SessionToken"],
        }

        def make(service: str) -> Any:
            made = boto3.client(service, region_name=REGION, **credentials)
            if service == "service-quotas":
                stub = Stubber(made)
                for quota in account.needs(default_pools(), {p.instance_types[0]: 1 for p in default_pools().values()}):
                    asked = {"ServiceCode": "ec2", "QuotaCode": quota.code}
                    stub.add_response("get_service_quota", {"Quota": {"Value": limit}}, asked)
                stub.activate()
            return made

        return make

    return client


def test_an_account_that_has_room_is_taken(ask):
    account.check(on_aws(), ask())


def test_credentials_of_another_account_are_told(ask):
    with pytest.raises(SlipwayError, match=f"account: 111122223333, but the AWS credentials are of {ACCOUNT}"):
        account.check(on_aws(account="111122223333"), ask())


def test_who_would_lock_himself_out_is_told(ask):
    with pytest.raises(SlipwayError, match=rf"{WHERE}.admins: expected arn:aws:iam::{ACCOUNT}:role/ci-runner"):
        account.check(on_aws(), ask(role="ci-runner"))


def test_a_role_with_a_path_is_the_one_that_its_session_names_without(ask):
    account.check(on_aws(admins=[f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/slipway"]), ask())


def test_a_missing_quota_is_told_with_the_request_that_would_raise_it(ask):
    with pytest.raises(SlipwayError) as told:
        account.check(on_aws(pools={"gpu": default_pools()["gpu"].model_dump(mode="json")}), ask(limit=0))
    assert str(told.value) == (
        f"{WHERE}.pools: want up to 32 vCPUs of On-Demand G and VT instances, the account's quota in eu-central-1 is 0;"
        " request more (`aws service-quotas request-service-quota-increase --service-code ec2"
        " --quota-code L-DB2E81BA --desired-value 32`), or lower the pools' maximum"
    )


def test_a_cluster_that_is_there_is_not_asked_for_room_again(ask):
    eks = boto3.client("eks", region_name=REGION)
    eks.create_cluster(name="slipway-prod", roleArn=ROLE, resourcesVpcConfig={})
    try:
        account.check(on_aws(), ask(limit=0))
    finally:
        eks.delete_cluster(name="slipway-prod")


def test_a_cluster_that_is_not_there_yet_is_told_apart_from_one_that_cannot_be_asked():
    with pytest.raises(NotYet, match=f"{WHERE}: there is no cluster slipway-prod in eu-central-1 yet"):
        access.connect(on_aws(), timeout=1)


def test_a_cluster_that_is_there_is_asked_with_a_token_of_our_own_making():
    eks = boto3.client("eks", region_name=REGION)
    made = eks.create_cluster(name="slipway-prod", roleArn=ROLE, resourcesVpcConfig={})["cluster"]
    try:
        kube = access.connect(on_aws(), timeout=1)
    finally:
        eks.delete_cluster(name="slipway-prod")
    assert kube.server == made["endpoint"].rstrip("/")
    request = kube.session.prepare_request(requests.Request("GET", f"{kube.server}/version"))
    assert request.headers["Authorization"].startswith("Bearer k8s-aws-v1.")


def test_a_token_is_a_signed_question_that_names_the_cluster():
    """As aws-iam-authenticator takes it: STS of the region, asked within a minute, with the cluster's name signed."""
    text = access.token("slipway-prod", REGION).removeprefix("k8s-aws-v1.")
    url = urlsplit(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    asked = {key: value for key, (value,) in parse_qs(url.query).items()}
    assert url.netloc == f"sts.{REGION}.amazonaws.com"
    assert asked["Action"] == "GetCallerIdentity"
    assert asked["X-Amz-Expires"] == "60"
    assert asked["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id"
    assert f"/{REGION}/sts/" in asked["X-Amz-Credential"]
    assert "=" not in text


def test_the_answer_of_moto_is_a_kubeconfig_for_people():
    eks = boto3.client("eks", region_name=REGION)
    eks.create_cluster(name="slipway-prod", roleArn=ROLE, resourcesVpcConfig={})
    try:
        config = json.loads(access.config(on_aws()))
    finally:
        eks.delete_cluster(name="slipway-prod")
    assert config["users"][0]["user"]["exec"]["command"] == "aws"
