"""Security rules for AWS resources, independent of the component that declares them.

A resource is its Pulumi type and properties as the engine has them. Tests check every resource of an environment, and
`pulumi preview --policy-pack policies/pack` applies the same rules.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Properties = Mapping[str, Any]
#: Yields the violations of one resource.
Check = Callable[[Properties], Iterator[str]]

ANYBODY = ("0.0.0.0/0", "::/0")
#: Actions that accept only the resource "*" (Service Authorization Reference).
WITHOUT_RESOURCE = (
    "autoscaling:Describe",
    "ec2:Describe",
    "ec2:GetInstanceTypesFromInstanceRequirements",
    "ecr:GetAuthorizationToken",
)
#: Reading actions that a resource name does not restrict.
READS = ("eks:DescribeNodegroup",)


@dataclass(frozen=True)
class Resource:
    """Resource: type (`aws:s3/bucket:Bucket`), logical name, camelCase properties; unknown ones are absent."""

    type: str
    name: str
    properties: Properties


def violations(resources: Iterable[Resource]) -> list[str]:
    """Return the violations of resources, each with type and name."""
    found = list(resources)
    return [
        f"{each.type} {each.name}: {problem}"
        for each in found
        for problem in (*check(each.type, each.properties), *companions(each, found))
    ]


def check(type_: str, properties: Properties) -> list[str]:
    """Return the violations of one resource by itself."""
    return [problem for rule in RULES.get(type_, ()) for problem in rule(properties)]


def must(key: str, wanted: Any, problem: str) -> Check:
    """Return a rule that requires a value at a dotted key; a list stands for each of its entries."""

    def rule(properties: Properties) -> Iterator[str]:
        found = list(_at(properties, key.split(".")))
        if not found or any(_plain(value) != wanted for value in found):
            yield f"{problem}; set {key} to {json.dumps(wanted)}"

    return rule


def must_not(key: str, problem: str) -> Check:
    """Return a rule that refuses any value at a dotted key."""

    def rule(properties: Properties) -> Iterator[str]:
        if any(_plain(value) not in (None, False, "", []) for value in _at(properties, key.split("."))):
            yield f"{problem}; remove {key}"

    return rule


def present(key: str, problem: str) -> Check:
    """Return a rule that requires a value at a key."""

    def rule(properties: Properties) -> Iterator[str]:
        if key not in properties or properties[key] in ("", [], None):
            yield f"{problem}; set {key}"

    return rule


def _at(value: Any, keys: list[str]) -> Iterator[Any]:
    if _is_list(value) and keys:
        for each in value:
            yield from _at(each, keys)
    elif not keys:
        yield value
    elif isinstance(value, Mapping) and keys[0] in value:
        yield from _at(value[keys[0]], keys[1:])


def _plain(value: Any) -> Any:
    """Return a text flag as a boolean, and the engine's lists as lists."""
    if _is_list(value):
        return [_plain(each) for each in value]
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def policy(key: str) -> Check:
    """Return a rule that refuses wildcards in an IAM document."""

    def rule(properties: Properties) -> Iterator[str]:
        text = properties.get(key)
        if isinstance(text, str):
            for statement in _list(json.loads(text)["Statement"]):
                yield from (f"{key}: {problem}" for problem in _statement(statement))

    return rule


def _statement(statement: Mapping[str, Any]) -> Iterator[str]:
    if statement["Effect"] != "Allow":
        return
    if {"NotAction", "NotResource", "NotPrincipal"} & set(statement):
        yield "allows everything but something; name what is allowed"
    actions = _list(statement.get("Action", []))
    for action in actions:
        if "*" in action:
            yield f"allows the action {action}; name the actions that are needed"
    if "*" in _list(statement.get("Resource", [])):
        wide = [action for action in actions if not action.startswith((*WITHOUT_RESOURCE, *READS))]
        if wide:
            yield f"allows {', '.join(wide)} on every resource; name the resources"
    principal = statement.get("Principal")
    if principal == "*" or (isinstance(principal, Mapping) and "*" in _list(principal.get("AWS", []))):
        yield "allows everybody; name the principal"


def _list(value: Any) -> list[Any]:
    return list(value) if _is_list(value) else [value]


def _closed(properties: Properties) -> Iterator[str]:
    """Refuse access from any network."""
    ranges = [each for key in ("cidrIpv4", "cidrIpv6") for each in _at(properties, [key])]
    ranges += [
        each for key in ("cidrBlocks", "ipv6CidrBlocks") for many in _at(properties, ["ingress", key]) for each in many
    ]
    if set(ranges) & set(ANYBODY):
        yield "lets the whole world in; name the networks"


def _no_rules(properties: Properties) -> Iterator[str]:
    """Refuse rules in a VPC's default group, the group of resources that name none."""
    if properties.get("ingress") or properties.get("egress"):
        yield "has rules; leave it without"


def _private_api(properties: Properties) -> Iterator[str]:
    config = properties.get("vpcConfig") or {}
    if config.get("endpointPrivateAccess") is not True:
        yield "its API has no private address; set vpcConfig.endpointPrivateAccess to true"
    if config.get("endpointPublicAccess") is not False and not config.get("publicAccessCidrs"):
        yield "its API answers the whole world; set vpcConfig.endpointPublicAccess to false, or name the networks"
    if set(config.get("publicAccessCidrs") or ()) & set(ANYBODY):
        yield "its API answers the whole world; name the networks in vpcConfig.publicAccessCidrs"


def _logs_all(properties: Properties) -> Iterator[str]:
    missing = {"api", "audit", "authenticator"} - set(properties.get("enabledClusterLogTypes") or ())
    if missing:
        yield f"does not log {', '.join(sorted(missing))}; add to enabledClusterLogTypes"


def _no_administrator(properties: Properties) -> Iterator[str]:
    if str(properties.get("policyArn", "")).endswith(("/AdministratorAccess", "/PowerUserAccess", "FullAccess")):
        yield "attaches all of an account or of a service; name the actions in a separate policy"


def _keeps_backups(properties: Properties) -> Iterator[str]:
    if properties.get("backupRetentionPeriod", 0) < 7:
        yield "can be restored for less than a week; set backupRetentionPeriod to 7 or more"


def companions(resource: Resource, all_: list[Resource]) -> Iterator[str]:
    """Require the companions of a resource, which have the same logical name."""
    for type_ in COMPANIONS.get(resource.type, ()):
        if not any(each.type == type_ and each.name == resource.name for each in all_):
            yield f"has no {type_.rpartition(':')[2]} of its name; declare one"


_ROLE = (policy("assumeRolePolicy"), must_not("inlinePolicies", "hides a policy in the role; declare a RolePolicy"))

#: By type; types without a rule must be in HARMLESS.
RULES: Mapping[str, tuple[Check, ...]] = {
    "aws:cloudwatch/logGroup:LogGroup": (present("retentionInDays", "never expires"),),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": (_no_rules,),
    "aws:ec2/launchTemplate:LaunchTemplate": (
        must("metadataOptions.httpTokens", "required", "gives its role to whatever can make it send a request"),
        must("metadataOptions.httpPutResponseHopLimit", 1, "gives its role to every pod"),
        must("blockDeviceMappings.ebs.encrypted", True, "has disks that are not encrypted"),
        must_not("networkInterfaces.associatePublicIpAddress", "has a public address"),
        must_not("keyName", "can be entered by SSH"),
    ),
    "aws:ec2/securityGroup:SecurityGroup": (_closed,),
    "aws:ec2/subnet:Subnet": (must("mapPublicIpOnLaunch", False, "gives public addresses"),),
    "aws:ecr/repository:Repository": (
        must("imageTagMutability", "IMMUTABLE", "its tags can be moved"),
        must("imageScanningConfiguration.scanOnPush", True, "its images are not scanned"),
        must("encryptionConfigurations.encryptionType", "KMS", "is not encrypted by a key of ours"),
        must_not("forceDelete", "takes its images with it"),
    ),
    "aws:eks/cluster:Cluster": (
        _private_api,
        _logs_all,
        must("encryptionConfig.resources", ["secrets"], "its Secrets are not encrypted by a key of ours"),
        must("accessConfig.authenticationMode", "API", "can be entered through a ConfigMap"),
        must("accessConfig.bootstrapClusterCreatorAdminPermissions", False, "has an administrator whom nothing names"),
    ),
    "aws:eks/nodeGroup:NodeGroup": (
        present("launchTemplate", "runs what no template of ours says"),
        must_not("remoteAccess", "can be entered by SSH"),
    ),
    "aws:iam/policy:Policy": (policy("policy"),),
    "aws:iam/role:Role": _ROLE,
    "aws:iam/rolePolicy:RolePolicy": (policy("policy"),),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": (_no_administrator,),
    "aws:kms/key:Key": (must("enableKeyRotation", True, "is never changed"),),
    "aws:rds/instance:Instance": (
        must("storageEncrypted", True, "is not encrypted"),
        must("publiclyAccessible", False, "has a public address"),
        must("manageMasterUserPassword", True, "has a password that an operator has to know"),
        must_not("password", "has its password in the state"),
        _keeps_backups,
    ),
    "aws:s3/bucket:Bucket": (
        must("objectLockEnabled", True, "lets what was written be overwritten for good"),
        must_not("acl", "is opened by an ACL"),
        must_not("forceDestroy", "takes its objects with it"),
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": (
        present("rule", "locks nothing unless each upload asks for it"),
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": (
        must("rule.objectOwnership", "BucketOwnerEnforced", "can be opened by ACLs"),
    ),
    "aws:s3/bucketPolicy:BucketPolicy": (policy("policy"),),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": tuple(
        must(key, True, "can be made public")
        for key in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        present("rules", "encrypts nothing"),
    ),
    "aws:s3/bucketVersioning:BucketVersioning": (
        must("versioningConfiguration.status", "Enabled", "forgets what is overwritten"),
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (_closed,),
}

#: Resources that must exist beside a resource.
COMPANIONS: Mapping[str, tuple[str, ...]] = {
    "aws:ec2/vpc:Vpc": ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "aws:ec2/flowLog:FlowLog"),
    "aws:s3/bucket:Bucket": tuple(
        sorted(type_ for type_ in RULES if type_.startswith("aws:s3/bucket") and type_ != "aws:s3/bucket:Bucket")
    ),
}

#: Types without a setting that can expose anything.
HARMLESS = frozenset(
    {
        "aws:ec2/eip:Eip",
        "aws:ec2/flowLog:FlowLog",
        "aws:ec2/internetGateway:InternetGateway",
        "aws:ec2/natGateway:NatGateway",
        "aws:ec2/route:Route",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:ec2/vpc:Vpc",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        "aws:ecr/replicationConfiguration:ReplicationConfiguration",
        "aws:eks/accessEntry:AccessEntry",
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        "aws:eks/addon:Addon",
        "aws:eks/podIdentityAssociation:PodIdentityAssociation",
        "aws:kms/alias:Alias",
        "aws:rds/parameterGroup:ParameterGroup",
        "aws:rds/subnetGroup:SubnetGroup",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    }
)
