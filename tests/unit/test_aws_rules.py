"""What no resource of AWS may be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.aws import policies, rules
from slipway.aws.rules import Resource

SAFE_CLUSTER: dict[str, Any] = {
    "vpcConfig": {"endpointPrivateAccess": True, "endpointPublicAccess": False},
    "enabledClusterLogTypes": ["api", "audit", "authenticator"],
    "encryptionConfig": {"resources": ["secrets"]},
    "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
}
SAFE_TEMPLATE: dict[str, Any] = {
    "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
    "blockDeviceMappings": [{"ebs": {"encrypted": "true"}}],
}
SAFE_REPOSITORY: dict[str, Any] = {
    "imageTagMutability": "IMMUTABLE",
    "imageScanningConfiguration": {"scanOnPush": True},
    "encryptionConfigurations": [{"encryptionType": "KMS"}],
}
SAFE_DATABASE: dict[str, Any] = {
    "storageEncrypted": True,
    "publiclyAccessible": False,
    "manageMasterUserPassword": True,
    "backupRetentionPeriod": 7,
}
SHUT: dict[str, Any] = dict.fromkeys(
    ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
)

CLUSTER, TEMPLATE = "aws:eks/cluster:Cluster", "aws:ec2/launchTemplate:LaunchTemplate"
REPOSITORY, DATABASE = "aws:ecr/repository:Repository", "aws:rds/instance:Instance"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
SAFE = {
    CLUSTER: SAFE_CLUSTER,
    TEMPLATE: SAFE_TEMPLATE,
    REPOSITORY: SAFE_REPOSITORY,
    DATABASE: SAFE_DATABASE,
    BLOCK: SHUT,
    "aws:cloudwatch/logGroup:LogGroup": {"retentionInDays": 30},
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": {},
    "aws:ec2/securityGroup:SecurityGroup": {"ingress": [{"cidrBlocks": ["10.0.0.0/16"]}]},
    "aws:ec2/subnet:Subnet": {"mapPublicIpOnLaunch": False},
    "aws:eks/nodeGroup:NodeGroup": {"launchTemplate": {"id": "lt-1"}},
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": {"policyArn": "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"},
    "aws:kms/key:Key": {"enableKeyRotation": True},
    "aws:s3/bucket:Bucket": {"objectLockEnabled": True},
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": {"rule": {"defaultRetention": {}}},
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": {"rule": {"objectOwnership": "BucketOwnerEnforced"}},
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": {"rules": [{}]},
    "aws:s3/bucketVersioning:BucketVersioning": {"versioningConfiguration": {"status": "Enabled"}},
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {"cidrIpv4": "10.0.0.0/16"},
}
MISSING = object()


@pytest.mark.parametrize("type_", SAFE)
def test_what_is_safe_breaks_no_rule(type_):
    assert rules.check(type_, SAFE[type_]) == []


@pytest.mark.parametrize(
    ("type_", "key", "value", "said"),
    [
        (CLUSTER, "vpcConfig.endpointPrivateAccess", False, "its API has no private address"),
        (CLUSTER, "vpcConfig.endpointPublicAccess", True, "its API answers the whole world"),
        (CLUSTER, "vpcConfig.publicAccessCidrs", ["0.0.0.0/0"], "its API answers the whole world"),
        (CLUSTER, "enabledClusterLogTypes", ["api"], "does not log audit, authenticator"),
        (CLUSTER, "encryptionConfig", MISSING, "its Secrets are not encrypted by a key of ours"),
        (CLUSTER, "accessConfig.authenticationMode", "API_AND_CONFIG_MAP", "can be entered through a ConfigMap"),
        (CLUSTER, "accessConfig.bootstrapClusterCreatorAdminPermissions", MISSING, "whom nothing names"),
        (TEMPLATE, "metadataOptions.httpTokens", "optional", "whatever can make it send a request"),
        (TEMPLATE, "metadataOptions.httpPutResponseHopLimit", 2, "gives its role to every pod"),
        (TEMPLATE, "blockDeviceMappings", [{"ebs": {"encrypted": "true"}}, {"ebs": {"encrypted": "false"}}], "disks"),
        (TEMPLATE, "networkInterfaces", [{"associatePublicIpAddress": "true"}], "has a public address"),
        (TEMPLATE, "keyName", "mine", "can be entered by SSH"),
        (REPOSITORY, "imageTagMutability", MISSING, "its tags can be moved"),
        (REPOSITORY, "imageScanningConfiguration.scanOnPush", False, "its images are not scanned"),
        (REPOSITORY, "encryptionConfigurations", [], "is not encrypted by a key of ours"),
        (REPOSITORY, "forceDelete", True, "takes its images with it"),
        (DATABASE, "storageEncrypted", MISSING, "is not encrypted"),
        (DATABASE, "publiclyAccessible", True, "has a public address"),
        (DATABASE, "manageMasterUserPassword", MISSING, "a password that an operator has to know"),
        (DATABASE, "password", "hunter2", "has its password in the state"),
        (DATABASE, "backupRetentionPeriod", 6, "can be restored for less than a week"),
        *((BLOCK, key, False, f"can be made public; set {key} to true") for key in SHUT),
        ("aws:cloudwatch/logGroup:LogGroup", "retentionInDays", MISSING, "never expires"),
        ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "egress", [{"protocol": "-1"}], "has rules"),
        ("aws:ec2/securityGroup:SecurityGroup", "ingress", [{"ipv6CidrBlocks": ["::/0"]}], "lets the whole world in"),
        ("aws:ec2/subnet:Subnet", "mapPublicIpOnLaunch", True, "gives public addresses"),
        ("aws:eks/nodeGroup:NodeGroup", "launchTemplate", MISSING, "runs what no template of ours says"),
        ("aws:eks/nodeGroup:NodeGroup", "remoteAccess", {"ec2SshKey": "mine"}, "can be entered by SSH"),
        (
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            "policyArn",
            "arn:aws:iam::aws:policy/AmazonS3FullAccess",
            "attaches all of an account or of a service",
        ),
        ("aws:iam/role:Role", "inlinePolicies", [{"name": "x"}], "hides a policy in the role"),
        ("aws:kms/key:Key", "enableKeyRotation", MISSING, "is never changed"),
        ("aws:s3/bucket:Bucket", "objectLockEnabled", MISSING, "overwritten for good"),
        ("aws:s3/bucket:Bucket", "acl", "public-read", "is opened by an ACL"),
        ("aws:s3/bucket:Bucket", "forceDestroy", True, "takes its objects with it"),
        (
            "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
            "rule",
            MISSING,
            "locks nothing unless each upload asks for it",
        ),
        (
            "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
            "rule.objectOwnership",
            "ObjectWriter",
            "can be opened by ACLs",
        ),
        (
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            "rules",
            [],
            "encrypts nothing",
        ),
        ("aws:s3/bucketVersioning:BucketVersioning", "versioningConfiguration.status", "Suspended", "forgets"),
        (
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            "cidrIpv4",
            "0.0.0.0/0",
            "lets the whole world in",
        ),
    ],
)
def test_what_is_not_is_told_with_what_to_do(type_, key, value, said):
    (told,) = rules.check(type_, changed(SAFE.get(type_, {}), key, value))
    assert said in told
    assert ";" in told


def changed(properties: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Set one dotted key, or take it away."""
    first, _, rest = key.partition(".")
    if rest:
        return {**properties, first: changed(properties.get(first, {}), rest, value)}
    return {name: each for name, each in {**properties, first: value}.items() if each is not MISSING}


@pytest.mark.parametrize("type_", [type_ for type_ in rules.RULES if type_ not in SAFE])
def test_every_other_rule_is_about_a_policy(type_):
    """So that none is left out above."""
    document = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b"}
    key = "assumeRolePolicy" if type_.endswith(":Role") else "policy"
    assert rules.check(type_, {key: policies.document([document])})


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({"Action": "s3:*", "Resource": "arn:aws:s3:::b"}, "allows the action s3:*"),
        ({"Action": ["s3:GetObject", "*"], "Resource": "arn:aws:s3:::b"}, "allows the action *"),
        ({"Action": "s3:GetObject", "Resource": "*"}, "allows s3:GetObject on every resource"),
        ({"NotAction": "iam:PassRole", "Resource": "arn:aws:s3:::b"}, "allows everything but something"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Principal": "*"}, "allows everybody"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Principal": {"AWS": ["*"]}}, "allows everybody"),
    ],
)
def test_a_policy_that_allows_more_than_it_names_is_told(statement, said):
    text = policies.document([{"Effect": "Allow", **statement}])
    (told,) = rules.check("aws:iam/rolePolicy:RolePolicy", {"policy": text})
    assert said in told


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Principal": "*"},
        {"Effect": "Allow", "Action": ["ec2:DescribeVolumes", "eks:DescribeNodegroup"], "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"},
    ],
)
def test_a_policy_that_forbids_or_that_only_looks_is_none_of_them(statement):
    assert rules.check("aws:iam/rolePolicy:RolePolicy", {"policy": json.dumps({"Statement": statement})}) == []


def test_a_bucket_without_what_closes_it_is_told():
    alone = [Resource("aws:s3/bucket:Bucket", "b", SAFE["aws:s3/bucket:Bucket"])]
    told = rules.violations(alone)
    assert "aws:s3/bucket:Bucket b: has no BucketPublicAccessBlock of its name; declare one" in told
    assert len(told) == len(rules.COMPANIONS["aws:s3/bucket:Bucket"]) == 6


def test_a_property_that_is_not_known_yet_is_no_breach_of_a_policys_rule():
    assert rules.check("aws:iam/rolePolicy:RolePolicy", {"policy": None}) == []
