"""Command `python -m slipway.lab.kubelet`, run by the lab inside its namespaces."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from slipway.clients.kube import Kube
from slipway.errors import SlipwayError
from slipway.lab.kubelet.images import read_images
from slipway.lab.kubelet.kubelet import Kubelet
from slipway.lab.kubelet.memory import MEMINFO


def main() -> int:
    """Run the kubelet until SIGTERM or SIGINT; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m slipway.lab.kubelet", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True, help="directory for logs and volumes")
    parser.add_argument("--images", type=Path, required=True, help="JSON: image -> venv, entrypoint, command, env")
    parser.add_argument("--meminfo", type=Path, default=MEMINFO, help="the kernel's figures of the machine's memory")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        kube = Kube.from_kubeconfig(arguments.kubeconfig)
        images = read_images(arguments.images)
        kubelet = Kubelet(kube, images, arguments.state.resolve(), arguments.meminfo)
        asyncio.run(kubelet.run())
    except SlipwayError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    code = main()
    # The watch's thread still blocks in a read; it holds nothing to close.
    os._exit(code)
