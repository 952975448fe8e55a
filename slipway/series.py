"""The names of Prometheus' series that several packages write or read.

Requests of users are MLServer's series (mlserver/rest/app.py). A server of another kind has its own renamed to these as
they are scraped, so that no query has to know which server answered.
"""

from __future__ import annotations

from slipway import names

#: Requests answered, by `path` (the template of a route) and `status_code`.
REQUESTS = "rest_server_requests_total"
#: Seconds that answers took, by `path` and `le`.
LATENCY = "rest_server_request_duration_seconds_bucket"
#: The `path` of users' requests, as a pattern; probes and scrapes have others.
INFER = names.infer_path(".+")
#: Selects users' requests among all.
ASKED = f'path=~"{INFER}"'

#: Predictions with a label that has arrived, and those that were right (slipway/observe).
LABELLED, RIGHT = "slipway_labelled_total", "slipway_right_total"
#: The e-value against a candidate (slipway/judge).
EVIDENCE = "slipway_judge_evidence"
#: Rollouts that ended, by `outcome` (slipway/judge).
ROLLOUTS = "slipway_rollouts_total"
