"""A Prometheus whose counters are what a file says: so many requests a second, from that moment on.

It answers the two calls that the judge makes, for the queries that the judge has; not PromQL.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

EDGES = {"0.1": 0.0, "0.25": 0.0, "+Inf": 1.0}


def grown(segments: list[dict[str, float]], at: float, share: str = "") -> int:
    """Say what a counter shows at a moment; `share` picks those requests of them."""
    value, ends = 0.0, [segment["since"] for segment in segments[1:]] + [math.inf]
    for segment, end in zip(segments, ends, strict=True):
        seconds = max(0.0, min(at, end) - segment["since"])
        value += seconds * segment["rate"] * (segment[share] if share else 1.0)
    return int(value)


def samples(content: dict[str, list[dict[str, float]]], query: str, at: float) -> list[tuple[dict[str, str], float]]:
    """Return what a query gives at a moment."""
    found: list[tuple[dict[str, str], float]] = []
    for key, segments in content.items():
        namespace, model, version = key.split("/")
        if at < segments[0]["since"]:
            continue
        if query.startswith("up{job=") or f'model="{model}"' in query:
            observer = {"job": "observe", "instance": "observe"}
            if query.startswith("up"):
                return [({"__name__": "up", **observer}, 1.0)]
            labels = {**observer, "namespace": namespace, "model": model, "version": version}
            found.append(({"__name__": "slipway_labelled_total", **labels}, grown(segments, at, "labelled")))
            found.append(({"__name__": "slipway_right_total", **labels}, grown(segments, at, "right")))
        elif re.search(rf'"{model}-primary\|{model}-canary"', query):
            for side in ("primary", "canary"):
                service, isvc = f"{model}-{side}", f"{model}-v{version}"
                target = {"job": "models", "instance": isvc, "service": service, "pod": isvc, "inferenceservice": isvc}
                target["namespace"] = namespace
                found.append(({"__name__": "up", **target}, 1.0))
                if "__name__" in query:
                    found += counters(target, segments, at)
    return found


def counters(target: dict[str, str], segments: list[dict[str, float]], at: float) -> list[tuple[dict[str, str], float]]:
    every, failed, slow = grown(segments, at), grown(segments, at, "failed"), grown(segments, at, "slow")
    path = {"path": "/v2/models/{model_name}/infer", "method": "POST"}
    asked, bucket = "rest_server_requests_total", "rest_server_request_duration_seconds_bucket"
    found: list[tuple[dict[str, str], float]] = [
        ({"__name__": asked, **target, **path, "status_code": "200"}, every - failed),
        *([({"__name__": asked, **target, **path, "status_code": "500"}, failed)] if failed else []),
    ]
    for edge, share in EDGES.items():
        fast = every if share else every - slow
        found.append(({"__name__": bucket, **target, **path, "le": edge}, fast))
    return found


class Handler(BaseHTTPRequestHandler):
    counters: Path

    def do_POST(self) -> None:
        form = {
            key: value[0]
            for key, value in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
        }
        content = json.loads(self.counters.read_text())
        result: list[dict[str, Any]] = []
        if self.path.endswith("query_range"):
            series = dict[str, dict[str, Any]]()
            at, end, step = (float(form[name]) for name in ("start", "end", "step"))
            while at <= end + 1e-6:
                for labels, value in samples(content, form["query"], at):
                    each = series.setdefault(json.dumps(labels), {"metric": labels, "values": []})
                    each["values"].append([at, str(value)])
                at += step
            result = list(series.values())
        else:
            at = float(form.get("time") or time.time())
            result = [
                {"metric": labels, "value": [at, str(value)]} for labels, value in samples(content, form["query"], at)
            ]
        body = json.dumps({"status": "success", "data": {"result": result}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    host, _, port = sys.argv[1].rpartition(":")
    Handler.counters = Path(sys.argv[2])
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
