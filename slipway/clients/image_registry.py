"""Client for image registries: the digest of a tag, by the OCI distribution API."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import requests

from slipway.errors import ExitCode, SlipwayError

#: Seconds for each request.
TIMEOUT = 20.0
#: An index has the images of all platforms, so it comes first; the older types are Docker's own.
ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
DOCKER_HUB = "registry-1.docker.io"


@dataclass(frozen=True)
class Reference:
    """Parsed name of an image."""

    registry: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, image: str) -> Reference:
        """Parse a name as container runtimes do: without a host it is Docker Hub's."""
        name, _, tag = image.rpartition(":")
        host, slash, rest = name.partition("/")
        if not slash or not re.search(r"[.:]|^localhost$", host):
            host, rest = "docker.io", name
        if host == "docker.io":
            return cls(DOCKER_HUB, rest if "/" in rest else f"library/{rest}", tag)
        return cls(host, rest, tag)

    @property
    def url(self) -> str:
        """Address of its manifest; plain HTTP only for a registry on this machine."""
        plain = self.registry.partition(":")[0] in ("127.0.0.1", "localhost")
        return f"{'http' if plain else 'https'}://{self.registry}/v2/{self.repository}/manifests/{self.tag}"


def digest(image: str, session: requests.Session) -> str:
    """Return the digest of a public image, computed from the registry's response.

    Raises:
        SlipwayError: The registry cannot be reached, does not have the image, or requires a login.
    """
    reference = Reference.parse(image)
    try:
        answer = session.get(reference.url, headers={"Accept": ACCEPT}, timeout=TIMEOUT)
        if answer.status_code == 401:
            headers = {"Accept": ACCEPT, "Authorization": f"Bearer {_token(answer, reference, session)}"}
            answer = session.get(reference.url, headers=headers, timeout=TIMEOUT)
    except requests.RequestException as error:
        reason = f"registry {reference.registry} cannot be reached ({type(error).__name__})"
        raise SlipwayError(f"image {image}: {reason}", ExitCode.UNREACHABLE) from None
    if answer.status_code in (401, 403):
        raise SlipwayError(f"image {image}: {reference.registry} requires a login; copy it to a registry of yours")
    if not answer.ok:
        raise SlipwayError(f"image {image}: {reference.registry} has no such image (status {answer.status_code})")
    found = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    if answer.headers.get("Docker-Content-Digest", found) != found:
        raise SlipwayError(f"image {image}: {reference.registry} sent bytes that differ from the digest in its header")
    return found


def _token(refused: requests.Response, reference: Reference, session: requests.Session) -> str:
    """Return the anonymous token of a registry that requires one, else an empty text."""
    challenge = dict(re.findall(r'(\w+)="([^"]*)"', refused.headers.get("WWW-Authenticate", "")))
    realm = challenge.pop("realm", "")
    if not realm.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        return ""
    challenge.setdefault("scope", f"repository:{reference.repository}:pull")
    content = session.get(realm, params=challenge, timeout=TIMEOUT).json()
    return str(content.get("token") or content.get("access_token") or "")
