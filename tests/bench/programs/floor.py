"""F: the bare engine: recorded registrations, sent straight over the monitor's stub by eight workers.

`registrations.bin` holds them as protobuf messages, ready to be sent, in levels: what is in one level depends only on
earlier ones. No SDK object is made.
"""

import asyncio
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import get_monitor, get_root_resource

WORKERS = 8

levels, outputs, provider_urn, recorded_reference = pickle.loads(Path("registrations.bin").read_bytes())
requests = [[resource_pb2.RegisterResourceRequest.FromString(item) for item in level] for level in levels]
completions = [resource_pb2.RegisterResourceOutputsRequest.FromString(item) for item in outputs]


def replay() -> None:
    """Send everything."""
    monitor = get_monitor()
    with ThreadPoolExecutor(WORKERS) as pool:
        for level in requests:
            for answer in pool.map(monitor.RegisterResource, level):
                if answer.urn == provider_urn:
                    name_provider(f"{answer.urn}::{answer.id}")
        list(pool.map(monitor.RegisterResourceOutputs, completions))


def name_provider(reference: str) -> None:
    """Put the provider's own reference where the recorded one stands: a real `up` gives each provider a new id."""
    if reference == recorded_reference:
        return
    for level in requests:
        for request in level:
            request.provider = request.provider.replace(recorded_reference, reference)
            for package in request.providers:
                request.providers[package] = request.providers[package].replace(recorded_reference, reference)


async def main() -> None:
    """Wait for the stack, which is every recorded resource's root."""
    await get_root_resource().urn.future()
    await asyncio.get_running_loop().run_in_executor(None, replay)


for key, value in json.loads(Path("outputs.json").read_text()).items():
    pulumi.export(key, value)
pulumi.run(main)
