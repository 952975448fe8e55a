"""An account at moto, which other processes can ask too."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
#: moto's own.
ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Account:
    """One account.

    Args:
        environ: What makes a process somebody in it.
    """

    environ: Mapping[str, str]

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.environ["AWS_ENDPOINT_URL"],
            region_name=REGION,
            aws_access_key_id=self.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environ["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=self.environ["AWS_SESSION_TOKEN"],
        )


ROLE = f"arn:aws:iam::{ACCOUNT}:role/slipway"


@contextlib.contextmanager
def an_account() -> Iterator[Account]:
    """Serve AWS on this machine; the caller is a session of the role `slipway`."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        nobody = Account(
            {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_SESSION_TOKEN": "testing",
            }
        )
        session = nobody.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="ci")["Credentials"]
        yield Account(
            {
                **nobody.environ,
                "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
                "AWS_SESSION_TOKEN": session["SessionToken"],
            }
        )
    finally:
        server.stop()
