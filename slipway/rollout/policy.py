"""The policy of a rollout, as a Canary carries it."""

from __future__ import annotations

import json

from pydantic import Field, ValidationError

from slipway.documents import Frozen
from slipway.errors import SlipwayError

#: 1/alpha for alpha = 5 %: a candidate with a larger e-value is rolled back (slipway/judge/evidence.py).
LIMIT = 20.0


class Policy(Frozen):
    """Objectives of a model and the pace of its rollout.

    The Canary carries them as text, in `templateVariables` of the metric and in `metadata` of each webhook: the judge
    needs no file of the project, and a review of the Canary shows them.
    """

    #: Percent of requests that must be answered with 2xx.
    success_rate_percent: float = Field(gt=0, le=100)
    #: Milliseconds within which 95 (99) percent of the requests must be answered; None sets no objective.
    latency_p95_ms: float = Field(gt=0)
    latency_p99_ms: float | None = None
    #: Percent of labelled predictions that must be right; None sets no objective.
    correct_percent: float | None = None
    #: Requests that the candidate must have answered at each weight before it gets more traffic.
    min_requests: int = Field(ge=1)
    #: Labelled answers of the candidate that a promotion needs.
    min_labels: int = Field(default=0, ge=0)
    #: Minimum seconds at a weight, by weight in percent; other weights have no pause.
    pauses: dict[str, int] = Field(default_factory=dict)
    #: Whether the candidate only gets copies of requests, and users never its answers.
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
        """Return the policy as canonical JSON: equal policies are equal texts."""
        return json.dumps(self.model_dump(exclude_defaults=True), sort_keys=True, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Read the JSON that `text` returns. Raises SlipwayError for any other text."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "policy"
            raise SlipwayError(f"policy: {field}: {first['msg']}; it is written by `pulumi up`, run it again") from None
