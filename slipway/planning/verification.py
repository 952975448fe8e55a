"""Verification of the bytes of releases before they run for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from slipway import registry
from slipway.errors import ExitCode, SlipwayError
from slipway.models.release import Release


def verify(releases: Sequence[Release]) -> list[SlipwayError]:
    """Hash the bytes of releases, eight at a time; return the errors."""
    if not releases:
        return []

    def one(release: Release) -> SlipwayError | None:
        try:
            registry.verify(release)
        except SlipwayError as error:
            return error
        return None

    # The first one shows whether the store can be reached, before a thousand requests time out.
    first = one(releases[0])
    if first is not None and first.exit_code is ExitCode.UNREACHABLE:
        return [first]
    with ThreadPoolExecutor(8) as pool:
        return [error for error in (first, *pool.map(one, releases[1:])) if error is not None]
