"""Table of the local command that stands for each image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from slipway.errors import SlipwayError
from slipway.models.servers import MLSERVER

#: Directories searched for a command after the image's own environment.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_FIELDS = {"venv", "entrypoint", "command", "env", "files"}


@dataclass(frozen=True)
class Image:
    """Local command that stands for an image.

    Args:
        entrypoint: Replaced by a container's `command`, as an OCI entrypoint is.
        command: Replaced by a container's `args`, as an OCI command is.
        venv: Python environment whose `bin` comes first on PATH.
        env: The image's own variables.
        files: Local files by the path at which the image's users expect them.
    """

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    venv: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """Return the variables of a process of this image, before the pod's own."""
        path = f"{self.venv}/bin:{SYSTEM_PATH}" if self.venv else SYSTEM_PATH
        return {"PATH": path, "LANG": "C.UTF-8", **self.env}


@dataclass(frozen=True)
class ImageTable:
    """Images by pattern; `*` matches anything, as in `kserve/storage-initializer:*`."""

    images: Mapping[str, Image]

    def find(self, image: str) -> Image | None:
        """Return the entry for an image, its digest ignored; an exact name goes before a pattern."""
        image = image.partition("@")[0]
        name = image.removeprefix("docker.io/").removeprefix("library/")
        for wanted in (image, name):
            if wanted in self.images:
                return self.images[wanted]
        return next((found for pattern, found in self.images.items() if fnmatchcase(name, pattern)), None)

    @classmethod
    def parse(cls, content: Mapping[str, Any], source: str) -> ImageTable:
        """Return a table from its JSON content.

        Raises:
            SlipwayError: An entry has an unknown field.
        """
        images = {}
        for name, entry in content.items():
            if unknown := sorted(set(entry) - _FIELDS):
                raise SlipwayError(f"{source}: {name}: unknown field {unknown[0]!r}; expected {sorted(_FIELDS)}")
            images[name] = Image(
                tuple(entry.get("entrypoint", ())), tuple(entry.get("command", ())), entry.get("venv"),
                dict(entry.get("env", {})), dict(entry.get("files", {})),
            )  # fmt: skip
        return cls(images)


def read_images(path: Path) -> ImageTable:
    """Read a table from a JSON file.

    Raises:
        SlipwayError: The file is missing or malformed.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SlipwayError(f"{path}: expected a JSON image table ({str(error).splitlines()[0]})") from None
    return ImageTable.parse(content, str(path))


def standard_images(mlserver: Path, kserve_storage: Path) -> dict[str, Any]:
    """Return the lab's table, ready for JSON."""
    initializer = Path(__file__).with_name("initializer.py")
    return {
        "kserve/storage-initializer:*": {
            "venv": str(kserve_storage),
            "entrypoint": ["python", str(initializer)],
            "env": {"PYTHONUNBUFFERED": "1"},
        },
        "slipway.dev/mlserver:1.7.1-mlflow3.17.2": {
            "venv": str(mlserver),
            "command": ["mlserver", "start", "/mnt/models"],
            "env": {
                "PYTHONUNBUFFERED": "1",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                **MLSERVER.settings,
                # The default logs each request, with probes and Prometheus three lines a second, which would push a
                # server's last message before its death out of the end of its log.
                "MLSERVER_DEBUG": "false",
            },
        },
        "busybox:*": {"command": ["/bin/sh"]},
    }
