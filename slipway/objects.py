"""The type of a Kubernetes object as plain data."""

from __future__ import annotations

from typing import Any

#: A Kubernetes object, or a part of one, as JSON and YAML have it.
Object = dict[str, Any]
