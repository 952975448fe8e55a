"""What stands for the images of the platform's parts: binaries that are built on demand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Object = dict[str, Any]


def platform_images(place: Callable[[str], Path]) -> dict[str, Object]:
    """Return their table, ready for JSON; an image whose binary is not built yet says so when it is asked for.

    Args:
        place: Says where a binary is, or will be.
    """
    return {
        # By tag as by digest: what runs is what tools/kyverno pins.
        "*/kyverno/kyvernopre[:@]*": _binary(place("kyverno-init"), "/ko-app/kyverno-init"),
        "*/kyverno/kyverno[:@]*": _binary(place("kyverno"), "/ko-app/kyverno"),
        "*/kyverno/reports-controller[:@]*": _binary(place("kyverno-reports"), "/ko-app/reports-controller"),
    }


def _binary(binary: Path, at: str) -> Object:
    """Return an image whose entry point is one binary, at the path that the real image has it at."""
    return {"entrypoint": [at], "files": {at: str(binary)}}
