"""Certificate authority of the lab.

The authority lives as long as the state; server and client certificates are issued at each start, so none expires.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from slipway.lab import network
from slipway.lab.paths import private_directory, write_private

AUTHORITY_LIFE = datetime.timedelta(days=3650)
LIFE = datetime.timedelta(days=365)
SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SERVER_ADDRESSES = ("127.0.0.1", network.ADDRESS, network.API_SERVICE)
#: Clients of the API server: file name -> (user, group). All have full rights, since the lab has one owner.
IDENTITIES = {
    "admin": ("slipway-admin", "system:masters"),
    "controllers": ("slipway-controllers", "system:masters"),
    "kubelet": ("slipway-kubelet", "system:masters"),
}

Key = ec.EllipticCurvePrivateKey


def ensure(directory: Path) -> None:
    """Write the authority and the service-account key (once), and the server, webhook and client certificates."""
    private_directory(directory)
    key, certificate = _authority(directory)
    for name in ("server", "webhook"):
        _issue(directory, name, name, None, (key, certificate), server=True)
    for name, (user, group) in IDENTITIES.items():
        _issue(directory, name, user, group, (key, certificate), server=False)
    if not (directory / "service-accounts.key").exists():
        # The API server reads the public half from this file too, in the older format only.
        old = serialization.PrivateFormat.TraditionalOpenSSL
        write_private(directory / "service-accounts.key", _pem(ec.generate_private_key(ec.SECP256R1()), old))


def kubeconfig(directory: Path, identity: str, server: str, namespace: str = "default") -> str:
    """Return a kubeconfig with all credentials embedded, as JSON (a subset of YAML)."""

    def inline(file: str) -> str:
        return base64.b64encode((directory / file).read_bytes()).decode()

    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "slipway", "cluster": {"server": server, "certificate-authority-data": inline("ca.crt")}}
        ],
        "users": [
            {
                "name": identity,
                "user": {
                    "client-certificate-data": inline(f"{identity}.crt"),
                    "client-key-data": inline(f"{identity}.key"),
                },
            }
        ],
        "contexts": [
            {"name": "slipway-lab", "context": {"cluster": "slipway", "user": identity, "namespace": namespace}}
        ],
        "current-context": "slipway-lab",
    }
    return json.dumps(content, indent=2) + "\n"


def _authority(directory: Path) -> tuple[Key, x509.Certificate]:
    key_file, certificate_file = directory / "ca.key", directory / "ca.crt"
    if certificate_file.exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key, x509.load_pem_x509_certificate(certificate_file.read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "slipway-lab")])
    certificate = (
        _builder(name, name, key.public_key(), AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    # The certificate last: its existence means that both files are complete.
    write_private(key_file, _pem(key))
    write_private(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
    return key, certificate


def _issue(
    directory: Path, file: str, user: str, group: str | None, authority: tuple[Key, x509.Certificate], *, server: bool
) -> None:
    issuer_key, issuer = authority
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    if group:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(x509.Name(attributes), issuer.subject, key.public_key(), LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if server:
        addresses = (x509.IPAddress(ipaddress.ip_address(address)) for address in SERVER_ADDRESSES)
        alternatives = [*map(x509.DNSName, SERVER_NAMES), *addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    write_private(directory / f"{file}.key", _pem(key))
    certificate = builder.sign(issuer_key, hashes.SHA256())
    write_private(directory / f"{file}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, life: datetime.timedelta
) -> x509.CertificateBuilder:
    # An hour back: clocks of virtual machines jump.
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + life)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: Key, form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
