"""Learn from outcomes: try every route on labelled questions, and promote what does better."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfile

import numpy as np

from adapters.errors import GenerationError
from agent.errors import RouterError
from agent.measure import holds
from agent.planning import Planner
from agent.router.decision import ROUTES
from agent.router.evaluation import Evaluation, Routed
from agent.router.outcomes import FILE as OUTCOMES
from agent.router.outcomes import Outcome, OutcomeStore
from agent.router.policy import Policy
from agent.router.router import Probe, Router
from agent.router.speller import FILE as WORDS
from agent.router.statistics import Comparison, paired_bootstrap
from agent.router.success import FILE, Success, fit_success
from agent.router.versions import Versions
from agent.routes import Routes
from agent.suite import SuiteQuestion
from agent.workspace import Workspace
from pipelines.embed.embedder import QueryEncoding

_HELD_OUT = 0.3
_SURE = 0.9
_LEAST = 20
# From so many on the questions' encodings tell more than they mislead.
_MANY = 300
_WEIGHTS = tuple(np.geomspace(0.001, 1.0, 25))


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of learning.

    :param version: The new router; also one that was not taken into use.
    :param promoted: Whether it was.
    :param comparison: Of success less cost on the questions held out, new against old.
    :param learned: Questions learned from, and
    :param held_out: questions held out, the same ones every time.
    """

    version: str
    promoted: bool
    comparison: Comparison
    learned: int
    held_out: int


def score(question: SuiteQuestion, answer: str | None) -> float:
    """Return how right an answer is, 0 or 1: it holds what is accepted, or is rightly none.

    :param question: One that says what is accepted, or that nothing is.
    """
    if not question.has_answer:
        return float(answer is None)
    return float(answer is not None and holds(question, answer))


def try_routes(
    workspace: Workspace,
    router: Router,
    routes: Routes,
    questions: Sequence[SuiteQuestion],
    done: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """Answer each question by every route there is, and keep what came of it.

    A follow-up is completed from its history, and kept as it was completed.

    What was kept of the same question, index, adapters and settings is not tried again, so that a
    run that was stopped goes on where it was.

    :param questions: Such as say what is accepted, or that nothing is.
    :param done: Told after each question how many are done.
    """
    found: list[Outcome] = []
    costs = router.policy.costs
    with OutcomeStore(workspace.path / "router" / OUTCOMES) as store:
        for number, question in enumerate(questions, 1):
            searched, follows = question.searched, bool(question.history)
            features = router.look(searched, follows=follows, probe=_probe(router, routes))
            adapter = router.decide(searched, follows=follows).nearest
            kept = {one.id: one for one in store.for_question(searched)}
            for route in router.routes:
                writer = adapter if route in ("expert", "hybrid") else None
                id_ = _trial(workspace, router, question, route, writer)
                known = kept.get(id_)
                if known is not None:
                    found.append(replace(known, features=features))
                    continue
                started = time.perf_counter()
                try:
                    right = score(question, routes.take(route, writer, searched, None).answer.text)
                except GenerationError:  # too long for the model, above all
                    right = 0.0
                outcome = Outcome(
                    id=id_,
                    question=searched,
                    route=route,
                    adapter=writer,
                    score=right,
                    cost=costs.get(route, 0.0),
                    latency_ms=1000 * (time.perf_counter() - started),
                    source="suite",
                    router_version=router.version,
                    index_version=router.memory.index,
                    adapters=router.memory.references,
                    features=features,
                )
                store.add([outcome])
                found.append(outcome)
            if done is not None:
                done(number)
    return found


def rated(workspace: Workspace, router: Router, routes: Routes) -> list[Outcome]:
    """Return what users said of answers of this index and these adapters, looked at anew."""
    path = workspace.path / "router" / OUTCOMES
    if not path.is_file():
        return []
    with OutcomeStore(path) as store:
        said = [one for one in store.all() if one.source != "suite"]
    return [
        replace(
            one,
            features=router.look(
                one.question,
                follows=bool(one.features.get("follows")),
                probe=_probe(router, routes),
            ),
        )
        for one in said
        if router.is_of_now(one)
    ]


def learn(workspace: Workspace, router: Router, outcomes: Sequence[Outcome]) -> Learned:
    """Fit success heads to outcomes, and take them into use if they do better.

    A part of the questions, told by their own words and so the same every time, is held out;
    the new router has to do better on it than the one in use (paired bootstrap). Only questions
    that every route was tried on can tell which router does better.

    :param outcomes: Of the same question and route the last one counts.
    :raises RouterError: When there are too few outcomes, or a route's are all alike.
    """
    by_question: dict[str, dict[str, Outcome]] = {}
    for one in outcomes:
        by_question.setdefault(one.question, {})[one.route] = one
    told = {
        question: _held_out(question) and set(router.routes) <= tried.keys()
        for question, tried in by_question.items()
    }
    kept = [question for question, out in told.items() if not out]
    frozen = [question for question, out in told.items() if out]
    if len(kept) < _LEAST or len(frozen) < _LEAST // 4:
        raise RouterError(
            f"{len(by_question)} questions are too few to learn from: give {2 * _LEAST} or more"
        )
    seen = [_features(by_question[question]) for question in kept]
    served: dict[str, list[float | None]] = {
        route: [_scored(by_question[question], route) for question in kept]
        for route in router.routes
    }
    # A route that did alike on every question has nothing to learn: it stays as it was.
    alike = {r for r, values in served.items() if len({v for v in values if v is not None}) < 2}
    # Heads see the same numbers, so one that stays as it was keeps the others from seeing more.
    encoded_too = router.success.encoded if alike else len(kept) >= _MANY
    encodings = router.embedder.embed_queries(kept) if encoded_too else None
    tried = {route: values for route, values in served.items() if route not in alike}
    fitted, current = (
        fit_success(seen, tried, encodings, names=router.success.names),
        router.success,
    )
    success = Success(
        {
            stage: {**{r: current.heads[stage][r] for r in alike}, **heads}
            for stage, heads in fitted.heads.items()
        },
        fitted.names,
        fitted.encoded,
    )
    encoded = dict(zip(frozen, router.embedder.embed_queries(frozen), strict=True))
    ours, theirs = (
        [_utility(heads, router, by_question[one], encoded[one]) for one in frozen]
        for heads in (success, current)
    )
    comparison = paired_bootstrap(ours, theirs)
    promoted = comparison.difference > 0 and comparison.p_better >= _SURE
    versions = Versions(workspace.path / "router")
    used = versions.folder(router.version)
    fits = versions.fits(router.version, router.embedder.fingerprint)

    def write(folder: Path) -> None:
        for path in used.glob("*") if used.is_dir() else ():
            # A classifier is of the embedder that it was taught with, words are of none.
            if path.name == WORDS or (fits and path.name not in (FILE, "notes.json")):
                copyfile(path, folder / path.name)
        success.save(folder / FILE)

    notes = {
        "made_by": "learn",
        "from": router.version,
        "embedder": router.embedder.fingerprint,
        "promoted": promoted,
        "learned": len(kept),
        "held_out": len(frozen),
        "difference": comparison.difference,
        "interval": [comparison.low, comparison.high],
        "p_better": comparison.p_better,
        "adapters": router.memory.references,
    }
    version = versions.add(write, notes, use=promoted)
    return Learned(version, promoted, comparison, len(kept), len(frozen))


def evaluate(
    workspace: Workspace,
    router: Router,
    questions: Sequence[SuiteQuestion],
    *,
    routes: Routes | None = None,
    outcomes: Sequence[Outcome] = (),
    done: Callable[[int], None] | None = None,
) -> Evaluation:
    """Route a suite's questions and compare with where they should go, and with outcomes.

    :param routes: To look into the index with; None to decide by the questions alone.
    :param outcomes: What every route did with them, as far as that was tried; those of other
        accepted answers, adapters, settings or another index do not count.
    """
    tried = {one.id: one.score for one in outcomes}
    planner = None if routes is None else Planner(routes, None, None)
    routed, told = [], []
    for number, question in enumerate(questions, 1):
        started = time.perf_counter()
        searched, follows = question.searched, bool(question.history)
        decision = (
            router.decide(searched, follows=follows)
            if planner is None
            else planner.decide([searched], [follows])[0]
        )
        took = 1000 * (time.perf_counter() - started)
        found: dict[str, float] = {}
        for route in router.routes:
            writer = decision.nearest if route in ("expert", "hybrid") else None
            id_ = _trial(workspace, router, question, route, writer)
            if id_ in tried:
                found[route] = tried[id_]
        complete = found if len(found) == len(router.routes) else None
        told.append(decision.probabilities)
        routed.append(
            Routed(
                question=question.question,
                wanted=question.route,
                taken=decision.route,
                confidence=decision.confidence,
                out_of_scope=decision.out_of_scope,
                reasons=decision.reasons,
                stage=decision.stage,
                latency_ms=took,
                success=complete,
                costs=router.policy.costs,
            )
        )
        if done is not None:
            done(number)
    return Evaluation(tuple(routed), router.version, _curve(router.policy, routed, told))


def _curve(
    policy: Policy, routed: Sequence[Routed], told: Sequence[Mapping[str, float]]
) -> tuple[tuple[float, float, float], ...]:
    tried = [(one, p) for one, p in zip(routed, told, strict=True) if one.success is not None]
    points = []
    for weight in _WEIGHTS if tried else ():
        other = replace(policy, cost_weight=float(weight))
        taken = [(one, other.choose(p)[0]) for one, p in tried]
        cost = float(np.mean([policy.costs.get(route, 0.0) for _, route in taken]))
        right = float(np.mean([(one.success or {}).get(route, 0.0) for one, route in taken]))
        points.append((float(weight), cost, right))
    return tuple(points)


def _probe(router: Router, routes: Routes) -> Probe | None:
    return (lambda text: routes.find(text).hits) if router.memory.index else None


def _trial(
    workspace: Workspace, router: Router, question: SuiteQuestion, route: str, adapter: str | None
) -> str:
    """Return a name of a trial that changes with all that its score depends on."""
    answered_by = workspace.settings.model_dump(
        mode="json", include={"answer", "retrieval", "model", "agent"}
    )
    accepted = question.accepted, question.accepted_all, question.has_answer
    there = router.memory.index, router.memory.references
    told = json.dumps(
        (question.searched, accepted, route, adapter, there, answered_by), sort_keys=True
    )
    return hashlib.sha256(told.encode()).hexdigest()


def _held_out(question: str) -> bool:
    digest = hashlib.sha256(" ".join(question.lower().split()).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 < _HELD_OUT


def _features(outcomes: Mapping[str, Outcome]) -> Mapping[str, float]:
    return next(iter(outcomes.values())).features


def _scored(outcomes: Mapping[str, Outcome], route: str) -> float | None:
    found = outcomes.get(route)
    return None if found is None else found.score


def _utility(
    success: Success, router: Router, outcomes: Mapping[str, Outcome], encoding: QueryEncoding
) -> float:
    """Return success less cost of the route that heads would take."""
    features, policy = _features(outcomes), router.policy
    there = [route for route in ROUTES if route in router.routes and route in outcomes]
    route = "abstain"
    for stage in (1, 2) if "found" in features else (1,):
        told = success.probabilities(features, stage, encoding)
        route, lead = policy.choose({name: told[name] for name in there})
        # As the router decides: what is clear, and no abstention, needs no look at the index.
        if lead >= policy.margin and route != "abstain" and not features.get("stale"):
            break
    return outcomes[route].score - policy.cost_weight * policy.costs.get(route, 0.0)
