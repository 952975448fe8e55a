"""An environment on AWS, in the account that moto has."""

from typing import Any

from builders import an_environment

#: moto's own.
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/slipway"
REGION = "eu-central-1"
WHERE = "Pulumi.prod.yaml: slipway:cluster.eks"


def on_aws(**changes: Any):
    eks = {"account": ACCOUNT, "region": REGION, "admins": [ROLE], **changes}
    return an_environment("prod", cluster={"identifier": "prod", "eks": eks})
