"""Evidently's report of each served version, from the inputs that observe keeps.

The CronJob `slipway-drift` runs it as `python -m slipway.observe.report`, in a separate image: Evidently does not run
with our packages (tools/evidently/requirements.txt). observe measures the same continuously, for alerts; the report
shows the distributions.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Chance that any column of a report is falsely called drifted, as in slipway.observe.drift.
LEVEL = 0.01
#: Seconds for observe's response.
TIMEOUT = 30


def main(arguments: Sequence[str]) -> int:
    """Write a page and print a line of JSON for each comparison with enough rows; return the exit code."""
    parser = argparse.ArgumentParser(prog="slipway.observe.report", description=__doc__)
    parser.add_argument("--observe", required=True, help="Base URL of observe.")
    parser.add_argument("--directory", required=True, type=Path, help="Directory for the pages.")
    given = parser.parse_args(arguments)
    try:
        with urllib.request.urlopen(f"{given.observe}/v1/samples", timeout=TIMEOUT) as answer:
            comparisons = json.load(answer)
    except OSError as error:
        print(f"observe {given.observe}: cannot be reached ({error}); check its Service", file=sys.stderr)
        return 1
    given.directory.mkdir(parents=True, exist_ok=True)
    for comparison in comparisons:
        print(json.dumps(write(comparison, given.directory)), flush=True)
    return 0


def write(comparison: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Write one page; return its summary."""
    # Only this job's image has these packages; the imports take over a second.
    import pandas
    from evidently import Report
    from evidently.presets import DataDriftPreset

    rows, others = pandas.DataFrame(comparison["rows"]), pandas.DataFrame(comparison["others"])
    # Evidently's default level is per column: of twenty without drift it calls one drifted.
    level = LEVEL / max(1, len(rows.columns))
    report = Report([DataDriftPreset(num_threshold=level, cat_threshold=level)]).run(rows, others)
    about = {name: str(comparison[name]) for name in ("namespace", "model", "version", "against")}
    page = directory / f"{about['namespace']}-{about['model']}-v{about['version']}-against-{about['against']}.html"
    report.save_html(str(page))
    found = [metric for metric in report.dict()["metrics"] if metric["config"]["type"].endswith(":ValueDrift")]
    drifted = sorted(metric["config"]["column"] for metric in found if metric["value"] < level)
    return {**about, "rows": len(rows), "columns": len(found), "drifted": drifted, "page": page.name}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
