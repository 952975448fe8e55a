"""Checks of an AWS account before resources are registered.

A first `up` takes twenty minutes, so errors that AWS would report late are reported first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.aws import names
from slipway.documents import nearest
from slipway.errors import ExitCode, SlipwayError
from slipway.settings.aws import EksSettings, NodePool
from slipway.settings.environment import Environment

#: Factory of a service's client.
Client = Callable[[str], Any]


@dataclass(frozen=True)
class Quota:
    """Limit on running vCPUs (EC2 user guide, "Instance type quotas")."""

    code: str
    name: str


#: Quotas of on-demand and spot instances.
STANDARD = {"on-demand": Quota("L-1216C47A", "On-Demand Standard"), "spot": Quota("L-34B43A08", "Spot Standard")}
GPU = {"on-demand": Quota("L-DB2E81BA", "On-Demand G and VT"), "spot": Quota("L-3819A6DF", "Spot G and VT")}
#: Quotas by first letter of a pool's first instance type; other types are not checked.
FAMILIES = {**dict.fromkeys("acdhimrtz", STANDARD), "g": GPU}

#: botocore's exceptions where this machine has no usable credentials.
NO_CREDENTIALS = (
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"),
    *("TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError"),
)
#: Codes of AWS's services for credentials that they do not accept.
REFUSED_CREDENTIALS = ("InvalidClientTokenId", "ExpiredToken", "SignatureDoesNotMatch", "UnrecognizedClientException")


def check(environment: Environment, client: Client | None = None) -> None:
    """Check the credentials' account and its quotas for nodes.

    Raises:
        SlipwayError: Wrong account, too small a quota, or AWS does not answer.
    """
    settings, where = names.eks(environment), f"Pulumi.{environment.name}.yaml: slipway:cluster.eks"
    check_region(settings, where)
    from botocore.exceptions import BotoCoreError, ClientError

    ask = client or clients(settings.region)
    try:
        _check_identity(settings, where, ask("sts").get_caller_identity())
        if described(ask("eks"), names.prefix(environment)) is None:
            _check_quotas(settings, where, ask)
    except (BotoCoreError, ClientError) as error:
        raise explain(error, where) from None


def clients(region: str) -> Client:
    """Return a factory of clients that time out within seconds."""
    import boto3
    from botocore.config import Config

    session = boto3.Session(region_name=region)
    config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    return lambda service: session.client(service, config=config)


def check_region(settings: EksSettings, where: str) -> None:
    """Refuse a region that AWS does not have, without a request.

    Raises:
        SlipwayError: Names the nearest region.
    """
    import boto3

    known = boto3.Session().get_available_regions("eks")
    for field, regions in (("region", (settings.region,)), ("replicate_to", settings.replicate_to)):
        for region in regions:
            if region not in known:
                near = nearest(region, known)
                hint = f"nearest is {near!r}" if near else f"as {known[0]!r} is one"
                raise SlipwayError(f"{where}.{field}: AWS has no region {region!r} with EKS; {hint}")


def explain(error: Exception, where: str) -> SlipwayError:
    """Return an error in one line for a failed request to AWS."""
    kind = type(error).__name__
    # Only errors of the service carry a response.
    refused = getattr(error, "response", {}).get("Error", {})
    if kind in NO_CREDENTIALS:
        problem = "no AWS credentials; sign in (`aws sso login`), or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
        return SlipwayError(f"{where}: {problem}", ExitCode.UNREACHABLE)
    if refused.get("Code") in REFUSED_CREDENTIALS:
        problem = f"AWS does not take the credentials ({refused['Code']}); sign in again"
        return SlipwayError(f"{where}: {problem}, in a shell without the lab's variables", ExitCode.UNREACHABLE)
    if refused:
        message = str(refused.get("Message") or kind).splitlines()[0]
        return SlipwayError(f"{where}: AWS refuses ({refused.get('Code')}): {message}")
    return SlipwayError(f"{where}: AWS cannot be reached ({kind})", ExitCode.UNREACHABLE)


def _check_identity(settings: EksSettings, where: str, identity: Mapping[str, str]) -> None:
    if identity["Account"] != settings.account:
        raise SlipwayError(
            f"{where}.account: {settings.account}, but the AWS credentials are of {identity['Account']};"
            " use credentials of that account, or correct the setting"
        )
    who = principal(identity["Arn"])
    # Roles of IAM Identity Center have a path that a session's ARN omits.
    if who.rpartition("/")[2] not in {admin.rpartition("/")[2] for admin in settings.admins}:
        raise SlipwayError(f"{where}.admins: expected {who}, which runs this and needs access to the cluster; add it")


def principal(arn: str) -> str:
    """Return the role of a session, to which access is granted; a user is returned unchanged."""
    head, _, rest = arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{rest.partition('/')[0]}" if rest else arn


def described(eks: Any, name: str) -> Mapping[str, Any] | None:
    """Return AWS's description of a cluster; None if it does not exist."""
    from botocore.exceptions import ClientError

    try:
        found: Mapping[str, Any] = eks.describe_cluster(name=name)["cluster"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return found


def _check_quotas(settings: EksSettings, where: str, ask: Client) -> None:
    """Compare the vCPUs of the smallest and largest cluster with the account's quotas."""
    kinds = sorted({pool.instance_types[0] for pool in settings.pools.values()})
    found = ask("ec2").describe_instance_types(InstanceTypes=kinds)["InstanceTypes"]
    cpus = {each["InstanceType"]: each["VCpuInfo"]["DefaultVCpus"] for each in found}
    quotas = ask("service-quotas")
    for quota, (least, most) in needs(settings.pools, cpus).items():
        limit = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=quota.code)["Quota"]["Value"]
        if limit < most:
            wants = f"{least} vCPUs at once" if limit < least else f"up to {most} vCPUs"
            raise SlipwayError(
                f"{where}.pools: want {wants} of {quota.name} instances, the account's quota in {settings.region} is"
                f" {limit:.0f}; request more (`aws service-quotas request-service-quota-increase --service-code ec2"
                f" --quota-code {quota.code} --desired-value {most}`), or lower the pools' maximum"
            )


def needs(pools: Mapping[str, NodePool], cpus: Mapping[str, int]) -> dict[Quota, tuple[int, int]]:
    """Return the vCPUs of the smallest and largest cluster, by quota.

    Args:
        cpus: vCPUs by instance type.
    """
    least, most = Counter[Quota](), Counter[Quota]()
    for pool in pools.values():
        kind = pool.instance_types[0]
        family = FAMILIES.get(kind[0])
        if family:
            least[family[pool.capacity]] += pool.minimum * cpus[kind]
            most[family[pool.capacity]] += pool.maximum * cpus[kind]
    return {quota: (least[quota], most[quota]) for quota in most}
