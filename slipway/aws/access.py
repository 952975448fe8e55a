"""Access to an environment's EKS cluster."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import requests
from requests.auth import AuthBase

from slipway.aws import account, names
from slipway.aws.kubeconfig import kubeconfig
from slipway.clients.kube import Kube
from slipway.errors import ExitCode, NotYet, SlipwayError
from slipway.settings.environment import Environment

#: EKS accepts a token for fifteen minutes, regardless of its URL (aws-iam-authenticator: README.md).
RENEW_AFTER = 10 * 60
PREFIX = "k8s-aws-v1."


def config(environment: Environment, client: account.Client | None = None) -> str:
    """Return the kubeconfig of an environment's cluster, as AWS describes it.

    Raises:
        NotYet: The cluster does not exist.
        SlipwayError: AWS does not answer, or the cluster is not active.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    settings, name = names.eks(environment), names.prefix(environment)
    where = f"Pulumi.{environment.name}.yaml: slipway:cluster.eks"
    account.check_region(settings, where)
    eks = (client or account.clients(settings.region))("eks")
    try:
        found = account.described(eks, name)
    except (BotoCoreError, ClientError) as error:
        raise account.explain(error, where) from None
    if found is None:
        raise NotYet(f"{where}: there is no cluster {name} in {settings.region} yet")
    if found["status"] not in ("ACTIVE", "UPDATING"):
        problem = f"cluster {name} is {found['status']}; wait until it is ACTIVE"
        raise SlipwayError(f"{where}: {problem}", ExitCode.UNREACHABLE)
    return kubeconfig(name, settings.region, found["endpoint"], found["certificateAuthority"]["data"])


def connect(environment: Environment, timeout: float) -> Kube:
    """Return a client for the cluster, with the credentials that AWS's own tools would use.

    Raises:
        NotYet: The cluster does not exist.
        SlipwayError: AWS does not answer, or the cluster is not active.
    """
    found = json.loads(config(environment))
    # The kubeconfig's user needs the AWS CLI; this program signs tokens itself.
    found["contexts"][0]["context"].pop("user")
    kube = Kube.from_config(found, Path(), timeout=timeout)
    kube.session.auth = Token(names.prefix(environment), names.eks(environment).region)
    return kube


class Token(AuthBase):
    """Authentication by EKS tokens, renewed before they expire."""

    def __init__(self, cluster: str, region: str) -> None:
        self.cluster, self.region = cluster, region
        self._token, self._since = "", 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not self._token or time.monotonic() - self._since > RENEW_AFTER:
            self._token, self._since = token(self.cluster, self.region), time.monotonic()
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def token(cluster: str, region: str) -> str:
    """Sign an STS request that EKS sends to identify the client, so no AWS CLI is needed.

    Raises:
        SlipwayError: There are no credentials.
    """
    import boto3
    from botocore.exceptions import BotoCoreError
    from botocore.signers import RequestSigner

    session = boto3.Session(region_name=region)
    sts = session.client("sts", region_name=region)
    try:
        credentials = session.get_credentials()
        signer = RequestSigner(sts.meta.service_model.service_id, region, "sts", "v4", credentials, session.events)
        question = {
            "method": "GET",
            "url": f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {"x-k8s-aws-id": cluster},
            "context": {},
        }
        url = signer.generate_presigned_url(question, region_name=region, expires_in=60, operation_name="")
    except BotoCoreError as error:
        raise account.explain(error, f"cluster {cluster}") from None
    return PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
