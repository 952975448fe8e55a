"""Writes Evidently's report of each served version, from the inputs that observe remembers.

The CronJob `slipway-drift` runs it as `python -m slipway.observe.report`, in an image of its own: Evidently does not
run with the packages of ours (tools/evidently/requirements.txt). observe measures the same all the time, for alerts;
this is for people who want to see the distributions.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: The chance that any column of a report is called drifted though none is, as in slipway.observe.drift.
LEVEL = 0.01
#: Seconds for observe's answer.
TIMEOUT = 30


def main(arguments: Sequence[str]) -> int:
    """Write a page and a line of JSON for each comparison that observe has enough rows for."""
    parser = argparse.ArgumentParser(prog="slipway.observe.report", description=__doc__)
    parser.add_argument("--observe", required=True, help="Base URL of observe.")
    parser.add_argument("--directory", required=True, type=Path, help="Where the pages are put.")
    given = parser.parse_args(arguments)
    try:
        with urllib.request.urlopen(f"{given.observe}/v1/samples", timeout=TIMEOUT) as answer:
            comparisons = json.load(answer)
    except OSError as error:
        print(f"observe {given.observe}: cannot be reached ({error}); is its Service there?", file=sys.stderr)
        return 1
    given.directory.mkdir(parents=True, exist_ok=True)
    for comparison in comparisons:
        print(json.dumps(write(comparison, given.directory)), flush=True)
    return 0


def write(comparison: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Write one page; returns what it says in short."""
    # A second and more, of packages that only this job's image has.
    import pandas
    from evidently import Report
    from evidently.presets import DataDriftPreset

    rows, others = pandas.DataFrame(comparison["rows"]), pandas.DataFrame(comparison["others"])
    # Evidently's own default takes each column by itself: of twenty without drift one is called drifted.
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
