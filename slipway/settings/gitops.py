"""Settings of an environment's tree of manifests."""

from pydantic import Field

from slipway.documents import Frozen


class GitOps(Frozen):
    """The repository that Argo CD reads."""

    repository: str = Field(min_length=1, description="URL of the manifests' repository, as Argo CD reads it.")
    revision: str = Field("main", min_length=1, description="The branch, tag or commit that Argo CD follows.")
    directory: str = Field(
        "manifests",
        pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$",
        description="Directory in the repository; each environment has one below it.",
    )
    checkout: str = Field(
        ".", min_length=1, description="A working copy of the repository, relative to the project; written by render."
    )
    stacks: tuple[str, ...] = Field(
        (), description="Stacks whose directories Argo CD delivers; empty: this stack's own."
    )
