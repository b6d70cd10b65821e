"""Fit the heads that the router ships, on the example industries' suites.

    python benchmarks/fit_router.py --workspace FOLDER [--write] [--json OUT]
    python benchmarks/fit_router.py --few [--write] [--json OUT]
    python benchmarks/fit_router.py --workspace FOLDER --quick

The workspace holds the example industries and their adapters, as ``expert demo`` makes it. A
route counts as serving a question when it is the one that the question was written for:
look-ups for retrieval, know-how in other words for the adapters, both in one question for
hybrid, and everybody's questions for abstain. Some are asked beside an adapter that was taught
other look-ups of the same documents: what it was not taught it does not know, however near that is.
``examples/routing.jsonl`` is not learned from; it is what the heads are measured on, beside each
industry with heads fitted on the other two.

``--few`` fits the heads for few documents and no adapter, to questions on those of ``lookups``:
one, some or all of them in a workspace. They are measured on the ones held out, beside the heads
for many.
"""

import argparse
import json
import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from few_documents import Seen, look_at_few, without
from report import report

from agent.assemble import open_pipeline
from agent.router.decision import ROUTES
from agent.router.memory import Known, Memory
from agent.router.policy import Policy
from agent.router.remember import FOREIGN
from agent.router.router import Router
from agent.router.success import (
    ALONE,
    DOCUMENTS,
    FEW_DOCUMENTS,
    SHIPPED,
    STAGES,
    Success,
    fit_success,
)
from agent.settings import RouterSettings
from agent.suite import read_suite
from agent.workspace import Workspace
from pipelines.embed.embedder import Embedder, Floats
from pipelines.embed.opening import open_embedder
from pipelines.search import search

EXAMPLES = Path(__file__).parents[1] / "examples"
LOOKUPS = Path(__file__).parent / "lookups"
# Of each file, documents in a workspace and questions of each kind to it.
_FEW_LEARNED = (("companies", 1, 6), ("companies", 8, 12), ("pages", 6, 12), ("companies", 76, 60))
_FEW_HELD_OUT = (("companies", 1, 20), ("companies", 20, 60), ("pages", 6, 24))
INDUSTRIES = {"hr": "hr-advisor", "health": "health-desk", "maintenance": "maintenance-planner"}
ALONE_ROUTES = ("retrieval", "abstain")
_JOINED = 60
# One of the held-out documents has fewer passages, several together have more.
_ONE = 50
# Of each industry, look-ups beside an adapter that was taught others, and know-how beside it.
_UNTAUGHT, _BESIDE = 168, 50
# The health pages are named after what they are about.
_FORMS = (
    "What is {}?",
    "What causes {}?",
    "How is {} treated?",
    "Who is at risk of {}?",
    "What are the symptoms of {}?",
    "How common is {}?",
    "what helps against {}",
)
_WRAPPED = 0.4
# What people say around a question, so that its length and its parts tell little.
_BEFORE = (
    "Hello, I have just started here. ",
    "My boss asked me this and I did not know: ",
    "Sorry to bother you, but ",
    "I could not find it anywhere. ",
    "We were talking about it at lunch, and nobody was sure. ",
    "I am writing a note for the team. ",
    "Quick one before the meeting: ",
    "It is the end of the month and things are busy. ",
    "A colleague has a problem, and I promised to ask. ",
    "This may be a stupid question, but ",
)
_AFTER = (
    " I need it by tonight, and please keep it short.",
    " Thanks in advance, and have a nice day.",
    " I have looked everywhere but found nothing.",
    " Nobody here could tell me.",
    " And thank you for the help.",
)
_JOINTS = (" and ", " And ", "? ", "? Also, ", ", and ", "? And then, ")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the route that it was written for.

    :param taught: What its industry's adapter was taught beside, or in place of, its know-how.
    :param alone: Whether in place of it.
    """

    group: str
    question: str
    route: str
    taught: tuple[str, ...] = ()
    alone: bool = False


def questions_of(chance: random.Random) -> list[Asked]:
    """Return what to learn from."""
    asked, beside, other = [], [], random.Random(2)
    for name in INDUSTRIES:
        folder = EXAMPLES / name
        suite = read_suite(folder / "questions.jsonl").questions
        looked_up = [one.question for one in suite if one.kind == "lookup"]
        paraphrased = read_suite(folder / "know_how_paraphrased.jsonl").questions
        known = [one.question for one in paraphrased]
        asked += [Asked(name, one, "retrieval") for one in looked_up]
        asked += [Asked(name, one.question, "abstain") for one in suite if "scope" in one.kind]
        asked += [Asked(name, one, "expert") for one in known]
        asked += [Asked(name, joined(known, looked_up, chance), "hybrid") for _ in range(_JOINED)]
        beside += beside_taught(name, looked_up, known, other)
    return [
        *(replace(one, question=wrapped(one.question, chance)) for one in asked),
        *(replace(one, question=wrapped(one.question, other)) for one in beside),
    ]


def joined(known: Sequence[str], looked_up: Sequence[str], chance: random.Random) -> str:
    """Return one question that asks for what an adapter knows and for what documents say."""
    pair = [chance.choice(known).rstrip("?"), chance.choice(looked_up).rstrip("?")]
    chance.shuffle(pair)
    joint = chance.choice(_JOINTS)
    second = pair[1] if "?" in joint else pair[1][0].lower() + pair[1][1:]
    return f"{pair[0]}{joint}{second}?"


def beside_taught(
    name: str, looked_up: Sequence[str], known: Sequence[str], chance: random.Random
) -> list[Asked]:
    """Return what is asked beside an adapter that was taught half of the look-ups."""
    folder = EXAMPLES / name
    rows = folder / "training.jsonl"
    lines = rows.read_text(encoding="utf-8").splitlines() if rows.is_file() else []
    others = [json.loads(line)["question"] for line in lines]
    pages = [path.stem.replace("-", " ") for path in sorted((folder / "documents").rglob("*.*"))]
    about = [chance.choice(_FORMS).format(page) for page in pages if name == "health"]
    shuffled = chance.sample(looked_up, len(looked_up))
    half = len(shuffled) // 2
    asked = []
    for told, left in ((shuffled[:half], shuffled[half:]), (shuffled[half:], shuffled[:half])):
        taught = (*told, *others)
        some = chance.choices([*left, *about], k=_UNTAUGHT // 2)
        asked += [Asked(name, one, "retrieval", taught, chance.random() < 0.5) for one in some]
        for _ in range(_BESIDE // 2):
            asked.append(Asked(name, chance.choice(known), "expert", taught))
            asked.append(Asked(name, joined(known, left, chance), "hybrid", taught))
    return asked


def wrapped(question: str, chance: random.Random) -> str:
    """Return a question with what people say around it, at times."""
    if chance.random() < _WRAPPED:
        question = chance.choice(_BEFORE) + question
    if chance.random() < _WRAPPED / 2:
        question += chance.choice(_AFTER)
    return question


def look(workspace: Workspace, asked: Sequence[Asked], foreign: int) -> list[tuple[Asked, dict]]:
    """Return the features of questions, and of every other shipped foreign question."""
    with ExitStack() as opened:
        pipeline = opened.enter_context(open_pipeline(workspace))
        router = Router.open(workspace, pipeline.get_component("question").embedder)
        lines = FOREIGN.read_text(encoding="utf-8").splitlines()
        chance = random.Random(1)
        ours = [Asked("foreign", line, "abstain") for line in lines[1::2]][-foreign:]
        # What is asked must not be among what it is compared with.
        left_out = vectors_of(router.embedder, [one.question for one in ours])
        router.memory = without(router.memory, left_out)

        def probe(text: str) -> list:
            return search(pipeline, text, top_k=10)

        ours = [replace(one, question=wrapped(one.question, chance)) for one in ours]
        memories = {((), False): router.memory}
        seen = []
        for one in [*asked, *ours]:
            key = (one.taught, one.alone)
            if key not in memories:
                memories[key] = taught_beside(router, memories[(), False], one)
            router.memory = memories[key]
            seen.append((one, router.look(one.question, probe=probe)))
        return seen


def vectors_of(embedder: Embedder, questions: Sequence[str]) -> Floats:
    return np.stack([one.vector for one in embedder.embed_queries(list(questions))])


def taught_beside(router: Router, memory: Memory, asked: Asked) -> Memory:
    """Return the memory in which an industry's adapter was taught what a question says."""
    name = INDUSTRIES[asked.group]
    before = memory.adapters[name]
    vectors = vectors_of(router.embedder, asked.taught)
    known = Known(before.reference, asked.taught, vectors)
    if not asked.alone:
        both = (*before.questions, *asked.taught)
        known = Known(before.reference, both, np.vstack([before.vectors, vectors]))
    return replace(memory, adapters={**memory.adapters, name: known})


def fit(seen: Sequence[tuple[Asked, dict]], names: dict[int, tuple] = STAGES) -> Success:
    """Fit heads to where the questions should go, rare routes weighing by the root more."""
    counts = {route: sum(one.route == route for one, _ in seen) for route in ROUTES}
    counts = {route: count for route, count in counts.items() if count}
    most = max(counts.values())
    rows = [pair for pair in seen for _ in range(round((most / counts[pair[0].route]) ** 0.5))]
    return fit_success(
        [features for _, features in rows],
        {route: [float(one.route == route) for one, _ in rows] for route in counts},
        names=names,
    )


def look_where_few(*, held_out: bool, quick: bool) -> list[Seen]:
    """Return what is seen of questions to few documents."""
    # Every other line is learned from, and the ones between are held out.
    lines = FOREIGN.read_text(encoding="utf-8").splitlines()[0 if held_out else 1 :: 2][-600:]
    chance = random.Random(0)
    nowhere = [wrapped(one, chance) for one in lines]
    foreign = vectors_of(open_embedder("minilm"), lines)
    part = "held_out" if held_out else "learned"
    sizes = _FEW_HELD_OUT if held_out else _FEW_LEARNED
    return [
        one
        for name, together, each in (sizes[:1] if quick else sizes)
        for one in look_at_few(
            LOOKUPS / f"{name}_{part}.jsonl",
            nowhere,
            foreign,
            together=together,
            each=each,
            most=2 if quick else None,
        )
    ]


def fit_where_few(options: argparse.Namespace, policy: Policy) -> dict[str, float]:
    """Fit the heads for few documents, and return how well they and those for many do."""
    learned, held_out = (
        [
            (one, (Asked("few", one.question, one.route), one.features))
            for one in look_where_few(held_out=part, quick=options.quick)
        ]
        for part in (False, True)
    )
    few = fit([pair for _, pair in learned], names=ALONE)
    if options.write:
        few.save(FEW_DOCUMENTS)
    figures: dict[str, float] = {"few_questions": len(learned)}
    for kind, is_one in (("one", True), ("some", False)):
        for route in ALONE_ROUTES:
            some = [
                pair
                for one, pair in held_out
                if (one.passages < _ONE) == is_one and one.route == route
            ]
            if some:
                figures[f"few_{kind}_{route}"] = float(np.mean(right(few, some, policy)))
                many = right(Success.load(DOCUMENTS), some, policy)
                figures[f"few_{kind}_{route}_by_the_others"] = float(np.mean(many))
    return figures


def right(success: Success, seen: Sequence[tuple[Asked, dict]], policy: Policy) -> list[bool]:
    """Return of each question whether it took the route that it was written for."""
    found = []
    for one, features in seen:
        route, lead = policy.choose(success.probabilities(features, 1))
        if lead < policy.margin or route == "abstain":
            route, _ = policy.choose(success.probabilities(features, 2))
        found.append(route == one.route)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--few", action="store_true", help="the heads for few documents")
    parser.add_argument("--write", action="store_true", help="ship what was fitted")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.few:
        usual = RouterSettings()
        policy = Policy(usual.costs, usual.cost_weight, usual.margin)
        report(
            "Routing where there are few documents", fit_where_few(options, policy), options.json
        )
        return
    if options.workspace is None:
        parser.error("give --workspace, or --few")
    workspace = Workspace(options.workspace)
    settings = workspace.settings.router
    policy = Policy(settings.costs, settings.cost_weight, settings.margin)
    chance = random.Random(0)
    asked = questions_of(chance)
    suite = [
        Asked("suite", one.question, str(one.route))
        for one in read_suite(EXAMPLES / "routing.jsonl").questions
    ]
    if options.quick:
        asked, suite = chance.sample(asked, 120), chance.sample(suite, 40)
    seen = look(workspace, [*asked, *suite], 60 if options.quick else 600)
    learned = [pair for pair in seen if pair[0].group != "suite"]
    success = fit(learned)
    told = [pair for pair in seen if pair[0].group == "suite"]
    figures: dict[str, float | int | str] = {"questions": len(learned), "suite": len(told)}
    figures["suite_right"] = float(np.mean(right(success, told, policy)))
    for route in ROUTES:
        of_route = [pair for pair in told if pair[0].route == route]
        figures[f"suite_right_{route}"] = float(np.mean(right(success, of_route, policy)))
    shipped = Success.load()
    for name in INDUSTRIES:
        others = fit([pair for pair in learned if pair[0].group != name])
        own = [pair for pair in learned if pair[0].group == name]
        figures[f"{name}_by_the_others"] = float(np.mean(right(others, own, policy)))
        untaught = [one for one in own if one[0].taught and one[0].route == "retrieval"]
        figures[f"{name}_untaught_by_the_others"] = float(np.mean(right(others, untaught, policy)))
        figures[f"{name}_untaught_shipped"] = float(np.mean(right(shipped, untaught, policy)))
    # Where no adapter is, nothing was taught.
    apart = [(one, f) for one, f in learned if one.route in ALONE_ROUTES and not one.taught]
    alone = fit(apart, names=ALONE)
    for pair_route in ALONE_ROUTES:
        of_route = [pair for pair in told if pair[0].route == pair_route]
        figures[f"documents_right_{pair_route}"] = float(np.mean(right(alone, of_route, policy)))
    if options.write:
        success.save(SHIPPED)
        alone.save(DOCUMENTS)
    report("Routing the example industries", figures, options.json)


if __name__ == "__main__":
    main()
