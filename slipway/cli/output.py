"""Answers of commands: a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

#: Wide enough for any table: a pipe has no width, and a cut cell cannot be searched for.
PIPE_WIDTH = 1_000
#: Digits of a digest that tables show; enough to tell two apart.
SHORT_DIGEST = 12


def show(rows: Sequence[Mapping[str, Any]], as_json: bool, columns: Sequence[str] | None = None) -> None:
    """Print rows.

    Args:
        rows: What there is; JSON shows all of it.
        as_json: Whether to print JSON.
        columns: The keys that a table shows, in order; all of the first row's by default.
    """
    if as_json:
        show_json(list(rows))
        return
    if not rows:
        print("nothing")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    names = list(columns or rows[0])
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())
    sys.stdout.flush()


def show_json(content: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(content, indent=2, ensure_ascii=False, default=str), flush=True)


def short(digest: str) -> str:
    """Cut a digest to what tells it from others: `sha256:0123456789ab`."""
    kind, _, digits = digest.rpartition(":")
    return f"{kind}:{digits[:SHORT_DIGEST]}" if kind else digits[:SHORT_DIGEST]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(each)}" for key, each in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value)) or "-"
    return str(value)
