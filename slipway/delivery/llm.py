"""Rollouts of LLMs: the operator moves the weights of a group, one step at a time."""

from __future__ import annotations

import time
from typing import Any

from slipway.clients.kube import Kube
from slipway.compile.canary import rollout_steps
from slipway.delivery.acts import Recorded
from slipway.delivery.books import Books
from slipway.delivery.ledger import Action
from slipway.delivery.settle import refuse_alone
from slipway.errors import ExitCode, SlipwayError
from slipway.rollout import cluster, llm
from slipway.rollout.llm import ALL, LLM, Member
from slipway.rollout.observed import ObservedModel


def row(model: str, seen: ObservedModel, written: Recorded) -> dict[str, Any]:
    """Return the row of one LLM in `slipway rollout status`."""
    live, wanted = seen.live_version, written.wanted
    members = {member.version: member for member in seen.services.values()}
    candidate = wanted if wanted != live and wanted in members and wanted not in written.rejected else None
    waits = "" if candidate is None or members[candidate].ready else f"v{candidate} is not ready"
    following, why = "nothing", ""
    if candidate is not None:
        following, why = "step", f"v{candidate} has {seen.weight}% of the traffic"
    elif wanted not in (None, live) and wanted not in written.rejected:
        following, why = "up", f"v{wanted} does not run yet"
    elif set(members) - {live}:
        following, why = "up", "retires versions without traffic"
    return {
        "model": model,
        "situation": "absent" if live is None else "settled" if candidate is None else "running",
        "stable": live,
        "stable_release": members[live].release_id if live else "",
        "candidate": candidate,
        "candidate_release": members[candidate].release_id if candidate else "",
        "phase": seen.phase,
        "weight": seen.weight,
        "failed_checks": 0,
        "evidence": None,
        "waits_for": waits,
        "next": following,
        "why": why,
    }


def step(kube: Kube, books: Books, to: int | None = None, reason: str | None = None) -> list[str]:
    """Give the candidate its next share, or `to`; return what was done.

    At 100 % it is recorded as stable. Only readiness is checked: the operator has judged the model's answers.

    Args:
        to: Percent; 0 takes all of the traffic back. None stands for the next step of the rollout.
        reason: With 0: why the candidate is rejected; None lets it be tried again.

    Raises:
        SlipwayError: There is no candidate, or it is not ready.
    """
    spec, environment = books.spec, books.environment
    group = llm.members(cluster.list_if_known(kube, LLM, environment.namespace)).get(spec.name, [])
    stable, candidate = _pair(books, group)
    weight = llm.next_weight(candidate.weight, rollout_steps(spec, environment)) if to is None else to
    if weight and not candidate.service.ready:
        raise SlipwayError(
            f"{spec.name}: {candidate.name} is not ready, so it gets no traffic; see `kubectl describe"
            f" llminferenceservice {candidate.name}`",
            ExitCode.BUSY,
        )
    done = []
    # The member that gains traffic is patched first, so that the weights never sum to less than 100 %.
    order = [(candidate, weight), (stable, ALL - weight)]
    for member, share in order if weight >= candidate.weight else reversed(order):
        if member.weight != share:
            body = {"spec": {"router": {"route": {"weight": share}}}}
            kube.patch(*LLM, member.name, environment.namespace, body)
            done.append(f"{member.name}: {member.weight}% became {share}%")
    release, back = candidate.service.release_id, stable.service.release_id
    if weight == ALL:
        refuse_alone(books, candidate.service.version)
        done += [_note(books, "settled", candidate, back, "stepped to all traffic"), books.settle(release)]
    elif weight == 0 and reason:
        done += [
            _note(books, "rejected", candidate, back, reason),
            books.reject(release, candidate.service.version, reason, serves=False, back=back),
        ]
    done = [each for each in done if each]
    return done or [f"{spec.name}: {candidate.name} has {weight}% already"]


def _pair(books: Books, group: list[Member]) -> tuple[Member, Member]:
    """Return the stable member and the candidate."""
    name, written = books.spec.name, books.recorded()
    by_version = {member.service.version: member for member in group}
    live = llm.observe(group).live_version if group else None
    if written.wanted not in by_version or live is None:
        raise SlipwayError(f"{name}: v{written.wanted} does not run in {books.environment.name}; `slipway up` first")
    others = [version for version in by_version if version != written.wanted]
    if not others:
        raise SlipwayError(f"{name}: v{written.wanted} has all traffic; pin a candidate, `slipway up`, then step")
    stable = written.stable if written.stable in others else live if live in others else others[0]
    return by_version[stable], by_version[written.wanted]


def _note(books: Books, action: Action, candidate: Member, other: str, reason: str) -> str:
    service = candidate.service
    return books.note(action, service.release_id, service.version, other=other, reason=reason, now=time.time())
