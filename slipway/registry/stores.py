"""Artifact stores: an S3 API or a local directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from slipway.errors import ExitCode, SlipwayError
from slipway.models.digest import Readable, local_files, sha256_of
from slipway.models.servers import ADDRESS_FORM, STORAGE

#: Seconds for a connection (twice with the one retry), and for a read.
CONNECT_TIMEOUT = 2
READ_TIMEOUT = 30
#: Variables of MLflow and the AWS SDKs for the endpoint of an S3 API other than AWS's, in order of precedence.
ENDPOINT_VARIABLES = ("MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
#: Connections: enough for all threads that read artifacts.
CONNECTIONS = 16

T = TypeVar("T")


@dataclass(frozen=True, order=True)
class StoredObject:
    """Stored file, with a tag that changes with its bytes."""

    path: str
    size: int
    tag: str


class DamagedError(SlipwayError):
    """Error of stored bytes that differ from the store's own checksum."""


class Store(Protocol):
    """Store of the artifacts below one URI."""

    def objects(self) -> list[StoredObject]:
        """List every file, sorted."""

    def read(self, path: str, *, keep: bool) -> tuple[str, int, str | None]:
        """Return hex sha256, size in bytes, and the text (None unless `keep`) of a file."""


def open_store(uri: str) -> Store:
    """Return the store that a URI names.

    Raises:
        SlipwayError: A model server could not fetch from the scheme either.
    """
    parts = urlsplit(uri)
    if uri.startswith(STORAGE) and parts.netloc:
        return S3Store(uri, parts.netloc, unquote(parts.path).strip("/"))
    if parts.scheme == "file":
        return LocalStore(uri, Path(unquote(parts.path)))
    remedy = f"; give the MLflow server an {STORAGE} artifact root" if parts.scheme == "mlflow-artifacts" else ""
    raise SlipwayError(f"{uri}: not an address that a model server can fetch; expected {ADDRESS_FORM}{remedy}")


class LocalStore:
    """Store in a local directory."""

    def __init__(self, uri: str, directory: Path) -> None:
        self.uri, self.directory = uri, directory

    def objects(self) -> list[StoredObject]:
        """List every file, sorted; symlinks are refused."""
        return sorted(self._object(path, file.stat()) for path, file in local_files(self.directory, self.uri))

    def read(self, path: str, *, keep: bool) -> tuple[str, int, str | None]:
        """Hash one file."""
        with (self.directory / path).open("rb") as stream:
            return _hash(stream, keep)

    @staticmethod
    def _object(path: str, status: os.stat_result) -> StoredObject:
        return StoredObject(path, status.st_size, f"{status.st_ino}-{status.st_mtime_ns}-{status.st_ctime_ns}")


class S3Store:
    """Store below a prefix of a bucket."""

    def __init__(self, uri: str, bucket: str, prefix: str) -> None:
        self.uri, self.bucket, self.prefix = uri, bucket, f"{prefix}/" if prefix else ""

    def objects(self) -> list[StoredObject]:
        """List every object, sorted, without empty folder markers."""
        return self._asked(self._objects)

    def read(self, path: str, *, keep: bool) -> tuple[str, int, str | None]:
        """Hash one object while streaming."""
        return self._asked(
            lambda client: _hash(client.get_object(Bucket=self.bucket, Key=self.prefix + path)["Body"], keep)
        )

    def _objects(self, client: Any) -> list[StoredObject]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        found = [
            StoredObject(
                item["Key"].removeprefix(self.prefix),
                item["Size"],
                f"{item['ETag']}-{item['LastModified'].isoformat()}",
            )
            for page in pages
            for item in page.get("Contents", ())
            if not (item["Key"].endswith("/") and item["Size"] == 0)
        ]
        return sorted(found)

    def _asked(self, question: Callable[[Any], T]) -> T:
        from botocore import exceptions

        endpoint = next(filter(None, map(os.environ.get, ENDPOINT_VARIABLES)), None)
        away = (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError)
        try:
            return question(_client(endpoint))
        except exceptions.NoCredentialsError:
            raise SlipwayError(f"{self.uri}: no credentials; set AWS_ACCESS_KEY_ID or AWS_PROFILE") from None
        except exceptions.FlexibleChecksumError:
            # The bytes were edited on the store's disk, behind its API.
            raise DamagedError(f"{self.uri}: bytes that differ from the store's own checksum; restore them") from None
        except exceptions.ClientError as error:
            code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            kind = ExitCode.UNREACHABLE if status >= 500 else ExitCode.USER
            raise SlipwayError(
                f"{self.uri}: refused by the object store ({code}); check the address and your rights", kind
            ) from None
        except away as error:
            raise SlipwayError(
                f"{self.uri}: object store {endpoint or 'AWS S3'} cannot be reached ({type(error).__name__})",
                ExitCode.UNREACHABLE,
            ) from None
        except (exceptions.BotoCoreError, ValueError) as error:
            raise SlipwayError(f"{self.uri}: settings of the object store are invalid ({error}); check AWS_*") from None


@lru_cache(maxsize=4)
def _client(endpoint: str | None) -> Any:
    # boto3 would import its resources and its transfers first, for the same client.
    from botocore import session
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": 2},
        max_pool_connections=CONNECTIONS,
    )
    return session.get_session().create_client("s3", endpoint_url=endpoint, config=config)


def _hash(stream: Readable, keep: bool) -> tuple[str, int, str | None]:
    kept = bytearray() if keep else None
    sha256, size = sha256_of(stream, kept)
    return sha256, size, None if kept is None else kept.decode("utf-8", "replace")
