"""How strictly the policies take a namespace."""

from __future__ import annotations

from typing import Literal

from slipway import names

#: A namespace without this label is enforced: forgetting it must not open anything.
STAGE_LABEL = f"{names.PREFIX}stage"

#: `audit` reports and warns what `enforce` refuses.
Stage = Literal["audit", "enforce"]

AUDIT: Stage = "audit"
ENFORCE: Stage = "enforce"
