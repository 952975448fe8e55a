"""Requests of the demo's users: held-out rows with their labels."""

from __future__ import annotations

import json

from slipway.clients.inference import Table, infer_request
from slipway.lab.seed.recipes import DemoModel, split
from slipway.traffic.requests import Request


def user_requests(model: DemoModel) -> tuple[Request, ...]:
    """Return one request for each held-out row of a model."""
    data = split(model)
    frame = data.held_out.drop(columns=[data.target])
    names, types = tuple(map(str, frame.columns)), ("double",) * len(frame.columns)
    return tuple(
        Request(
            body=json.dumps(infer_request(Table(names, types, (tuple(row),)))).encode(),
            inputs=dict(zip(names, row, strict=True)),
            label=label,
        )
        for row, label in zip(frame.to_numpy().tolist(), data.held_out[data.target].tolist(), strict=True)
    )
