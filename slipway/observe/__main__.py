"""`python -m slipway.observe` is `slipway observe`, for where no script was installed."""

from __future__ import annotations

import sys

from slipway.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["observe"]
    main()
