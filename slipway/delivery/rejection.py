"""The rejection of a release, shared by `settle` and `rollback`."""

from __future__ import annotations

import time
from dataclasses import dataclass

from slipway import documents
from slipway.clients.kube import Kube
from slipway.delivery import collect, incident, ledger
from slipway.delivery.books import Books
from slipway.delivery.incident import Incident
from slipway.delivery.record import RolloutRecord
from slipway.delivery.steps import Step, take
from slipway.errors import SlipwayError
from slipway.rollout.state import RolloutState
from slipway.times import iso


@dataclass(frozen=True)
class Rejected:
    """A release to reject, and the state of its rollout.

    Args:
        state: State of the rollout.
        version: The rejected version.
        back: The version that serves instead, or is to serve.
        reason: Why it is rejected; if empty, the reason is taken from the records or the rollout.
    """

    state: RolloutState
    version: int
    back: int
    reason: str = ""

    @property
    def serves(self) -> bool:
        """Whether the rejected version serves users at present."""
        return self.state.seen.live_version == self.version


def reject(kube: Kube, books: Books, what: Rejected) -> list[str]:
    """Write the incident, the ledger, the pins or the registry's tag, and the alias; return what was done.

    Incident and ledger come first: once the release is marked as rejected, the next `up` removes its objects, from
    which the incident is written.

    Raises:
        SlipwayError: A file does not fit, or the registry of a following environment cannot be reached.
    """
    now, model = time.time(), books.spec.name
    # If another stack of the same pins serves it, it stays in them until that stack has gone back too.
    serves = what.serves or what.version in books.elsewhere().values()
    release, back = books.release_id(what.state, what.version), books.release_id(what.state, what.back)
    known = books.recorded().rejected.get(what.version, "")
    rollout = None if known else _rollout(kube, books, what)
    directory = ledger.home(books.project, books.environment) / "incidents" / books.environment.name
    name = f"{model}-{release or f'v{what.version}'}"
    file, written = directory / f"{name}.md", incident.reason_of(directory / f"{name}.json")
    reasons = (known, written, what.reason, what.state.abort, rollout.reason if rollout else "", "its rollout failed")
    reason = " ".join(next(filter(None, reasons)).split())

    def report() -> str:
        if file.is_file():
            return ""
        incident.write(
            directory,
            Incident(
                environment=books.environment.name,
                model=model,
                at=iso(now),
                who=ledger.who(),
                reason=reason,
                rejected=release or f"v{what.version}",
                serves=back,
                promoted=what.serves,
                changes=incident.changes(books.release(back, what.back), books.release(release, what.version)),
                rollout=rollout,
            ),
        )
        return f"{documents.display(file)}: what changed and who was exposed"

    def note() -> str:
        path = documents.display(file)
        return books.note("rejected", release, what.version, other=back, reason=reason, now=now, incident=path)

    def alias() -> str:
        # An alias that an environment follows may name a newer, queued version by now.
        return books.move_alias(what.back, only_from=None if books.pinned else what.version)

    return take(
        [
            Step("incident", report),
            Step("ledger", note),
            Step("record", lambda: books.reject(release, what.version, reason, serves=serves, back=back)),
            Step("alias", alias, may_wait=True),
        ]
    )


def _rollout(kube: Kube, books: Books, what: Rejected) -> RolloutRecord | None:
    environment = books.environment
    try:
        found = collect.collect(kube, collect.prometheus_of(environment), environment, what.state)
    except SlipwayError:
        return None
    return found if found.candidate_version == what.version else None
