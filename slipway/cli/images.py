"""`slipway images`: which bytes an image's tag stands for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from slipway import documents
from slipway.cli.options import Json
from slipway.cli.output import show
from slipway.cli.project import project
from slipway.clients import image_registry
from slipway.platform import images
from slipway.platform.compiling import compile_all, context_of
from slipway.settings import stack_file
from slipway.settings.checkout import Checkout

app = typer.Typer(
    no_args_is_help=True, help="The images of what an environment installs, each with its digest.", add_completion=False
)

Refresh = Annotated[bool, typer.Option("--refresh", help="Ask for those again that have a digest: a tag may be moved.")]


@app.command("lock")
def lock(refresh: Refresh = False, as_json: Json = False) -> None:
    """Ask the registries for the digests of all images of all environments; commit images.yaml afterwards.

    What is asked for is what everybody may read. A registry that cannot be reached leaves the file as it was.
    """
    import requests

    checkout = Checkout(project())
    environments = [checkout.stack(name) for name in stack_file.stacks(project())]
    wanted = sorted(
        {
            image
            for environment in environments
            for objects in compile_all(context_of(environment, checkout)).values()
            for image in images.references(objects)
        }
    )
    had = images.load(project()).images
    todo = [image for image in wanted if refresh or image not in had]
    with requests.Session() as session, ThreadPoolExecutor(8) as pool:
        asked = dict(zip(todo, pool.map(lambda image: image_registry.digest(image, session), todo), strict=True))
    found = images.Images(images={image: asked.get(image) or had[image] for image in wanted})
    documents.write(project() / images.FILE, found)
    rows = [
        {"image": image, "digest": digest, "was": had.get(image, "-") if had.get(image) != digest else "the same"}
        for image, digest in found.images.items()
    ]
    show(rows, as_json)
