"""Runs the judge, as `python -m slipway.judge`."""

from __future__ import annotations

import sys

from slipway.cli import main

sys.argv[1:1] = ["judge"]
main()
