"""What a candidate is held to, as it travels in a Canary."""

from __future__ import annotations

import json

from pydantic import Field, ValidationError

from slipway.documents import Frozen
from slipway.errors import SlipwayError

#: 1/alpha for alpha = 5 %: an e-value that reaches it is taken for worse (slipway/judge/evidence.py).
LIMIT = 20.0


class Policy(Frozen):
    """The objectives of a model with the pace of its rollout, for one analysis.

    The Canary carries it as text, in `templateVariables` of the metric, in `metadata` of each webhook: so the judge
    needs no file of the project, and a review of the Canary shows all that will count.
    """

    #: Percent of requests that must be answered with 2xx.
    success_rate_percent: float = Field(gt=0, le=100)
    #: Milliseconds that 95 (99) percent of the requests must keep; None asks for nothing.
    latency_p95_ms: float = Field(gt=0)
    latency_p99_ms: float | None = None
    #: Percent of labelled predictions that must be right; None asks for nothing.
    correct_percent: float | None = None
    #: What the candidate must have been asked at each weight before it may have more.
    min_requests: int = Field(ge=1)
    #: What must be labelled of the candidate's answers before it may be promoted.
    min_labels: int = Field(default=0, ge=0)
    #: Seconds to stay at a weight at least, by weight in percent; a weight that is not named has no pause.
    pauses: dict[str, int] = Field(default_factory=dict)
    #: Whether users never get the candidate: it is asked copies of their requests for as long as the rollout is held.
    shadow: bool = False

    def allowed(self) -> dict[str, float]:
        """Return the share of requests that may be bad, by signal; which signals there are depends on the policy alone.

        By the definition of a quantile 5 % of the requests may be slower than the 95th.
        """
        kept = {
            "errors": self.success_rate_percent,
            "slow-p95": 95.0,
            "slow-p99": None if self.latency_p99_ms is None else 99.0,
            "wrong": self.correct_percent,
        }
        # Rounded, so that ten times a tenth is all also in binary.
        return {signal: round(1 - percent / 100, 9) for signal, percent in kept.items() if percent is not None}

    def text(self) -> str:
        """Write it in its one form: equal policies are equal texts."""
        return json.dumps(self.model_dump(exclude_defaults=True), sort_keys=True, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Read what `text` wrote.

        Raises:
            SlipwayError: It is something else.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "policy"
            raise SlipwayError(f"policy: {field}: {first['msg']}; it is written by `pulumi up`, run it again") from None
