"""Names of the Prometheus series that several packages write or read.

Those of requests are MLServer's (mlserver/rest/app.py). Other servers' series are renamed to these as they are scraped,
so that queries do not depend on the server.
"""

from __future__ import annotations

from slipway import names

#: Answered requests, by `path` (the template of a route) and `status_code`.
REQUESTS = "rest_server_requests_total"
#: Durations of answers in seconds, by `path` and `le`.
LATENCY = "rest_server_request_duration_seconds_bucket"
#: Pattern of the `path` of users' requests; probes and scrapes have others.
INFER = names.infer_path(".+")
#: Selects users' requests among all.
ASKED = f'path=~"{INFER}"'

#: Predictions with a label, and the correct ones among them (slipway/observe).
LABELLED, RIGHT = "slipway_labelled_total", "slipway_right_total"
#: The e-value against a candidate (slipway/judge).
EVIDENCE = "slipway_judge_evidence"
#: Finished rollouts, by `outcome` (slipway/judge).
ROLLOUTS = "slipway_rollouts_total"
