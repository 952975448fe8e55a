"""`slipway config`: what can be set, what is set."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway.cli.options import Json
from slipway.cli.output import show, show_json
from slipway.cli.project import project
from slipway.settings import reference as reference
from slipway.settings import stack_file
from slipway.settings.stack_file import read_environment

app = typer.Typer(help="What can be set in Pulumi.<stack>.yaml; what is.", no_args_is_help=True, add_completion=False)


@app.command("explain")
def explain(
    key: Annotated[str, typer.Argument(help="A setting, as cluster or platform.flagger; all without it.")] = "",
    stack: Annotated[str, typer.Option("--stack", "-s", help="Show what this stack has, too.")] = "",
    as_json: Json = False,
) -> None:
    """Print every setting: what it may be, its default, what it means."""
    found = reference.explain(key)
    has = reference.compare({stack: read_environment(project(), stack)}) if stack else {}
    rows = [
        {
            "setting": each.key,
            "may be": each.values,
            "default": each.default,
            **({stack: has.get(each.key, {}).get(stack)} if stack else {}),
            "meaning": each.meaning,
        }
        for each in found
    ]
    show(rows, as_json)


@app.command("compare")
def compare(
    stacks: Annotated[list[str] | None, typer.Argument(help="Which; all without it.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write the page docs/environments.md.")] = False,
    as_json: Json = False,
) -> None:
    """Print the settings in which environments differ, defaults included."""
    names = stacks or stack_file.stacks(project())
    environments = {name: stack_file.read_environment(project(), name) for name in names}
    if markdown:
        print(reference.page(environments), end="")
        return
    rows = {key: values for key, values in reference.compare(environments).items() if reference.differs(values)}
    if as_json:
        show_json(rows)
    else:
        show([{"setting": key, **values} for key, values in rows.items()], as_json=False, columns=["setting", *names])
