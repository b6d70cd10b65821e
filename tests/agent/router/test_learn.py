from dataclasses import replace
from pathlib import Path

import pytest

from adapters.errors import GenerationError
from agent.errors import RouterError
from agent.reply import Answered
from agent.router.calibration import Logistic
from agent.router.learn import _trial, _utility, evaluate, learn, rated, score, try_routes
from agent.router.outcomes import FILE, Outcome, OutcomeStore
from agent.router.router import Router
from agent.router.success import Success
from agent.router.versions import Versions
from agent.routes import Routes
from agent.suite import SuiteQuestion
from agent.workspace import Workspace
from pipelines.answer import Answer


def question(text: str, **fields) -> SuiteQuestion:
    return SuiteQuestion(question=text, **fields)


@pytest.mark.parametrize(
    ("fields", "answer", "right"),
    [
        ({"accepted": ["25 days"]}, "Staff earn 25 days.", 1.0),
        ({"accepted": ["25 days"]}, "Staff earn 250 days.", 0.0),
        ({"accepted": ["25 days"]}, None, 0.0),
        ({}, None, 1.0),
        ({}, "Anything.", 0.0),
        ({"accepted_all": ["25 days", "in March"]}, "25 days, lapsing in March.", 1.0),
        ({"accepted_all": ["25 days", "in March"]}, "25 days.", 0.0),
        ({"accepted": ["25 days"], "route": "abstain"}, "25 days.", 0.0),
        ({"accepted": ["25 days"], "route": "abstain"}, None, 1.0),
    ],
)
def test_a_reply_is_scored_by_what_the_suite_accepts(fields, answer, right) -> None:
    assert score(question("?", **fields), answer) == right


def test_each_route_is_tried_once_and_kept(workspace: Workspace, routes: Routes) -> None:
    taken = []

    def take(route, adapter, searched, on_text):
        taken.append((route, adapter))
        return Answered(route, Answer("25 days" if route == "retrieval" else None, 0.5))

    routes.take = take
    asked = [question("How many days of annual leave?", accepted=["25 days"])]
    first = try_routes(workspace, routes.router, routes, asked)
    assert [one.route for one in first] == ["retrieval", "expert", "hybrid", "abstain"]
    assert [one.score for one in first] == [1.0, 0.0, 0.0, 0.0]
    assert taken[1][1] in ("pay@1", "press@1")
    again = try_routes(workspace, routes.router, routes, asked)
    assert len(taken) == 4
    assert [one.id for one in again] == [one.id for one in first]
    assert "found" in first[0].features
    with OutcomeStore(workspace.path / "router" / FILE) as store:
        assert store.count() == 4
    corrected = [question("How many days of annual leave?", accepted=["12 days"])]
    judged = try_routes(workspace, routes.router, routes, corrected)
    assert [one.score for one in judged] == [0.0, 0.0, 0.0, 0.0]
    assert len(taken) == 8


def test_a_question_that_cannot_be_generated_from_is_not_served(
    workspace: Workspace, routes: Routes
) -> None:
    def take(route, adapter, searched, on_text):
        if route in ("expert", "hybrid"):
            raise GenerationError("the prompt is too long")
        return Answered(route, Answer(None, 0.0))

    routes.take = take
    tried = try_routes(workspace, routes.router, routes, [question("Is it far?")])
    assert [one.score for one in tried] == [1.0, 0.0, 0.0, 1.0]


def test_a_follow_up_is_routed_and_tried_as_its_history_completes_it(
    workspace: Workspace, routes: Routes
) -> None:
    taken, decided = [], []

    def take(route, adapter, searched, on_text):
        taken.append(searched)
        return Answered(route, Answer("12 days" if route == "retrieval" else None, 0.5))

    def decide(text, **options):
        decided.append((text, options["follows"]))
        return Router.decide(routes.router, text, **options)

    routes.take, routes.router.decide = take, decide
    before = {"question": "How many days of annual leave do staff earn?", "answer": "25 days."}
    asked = question("And part-time staff?", accepted=["12 days"], history=[before])
    assert asked.searched != asked.question
    assert "annual leave" in asked.searched
    tried = try_routes(workspace, routes.router, routes, [asked])
    assert set(taken) == {asked.searched} == {one.question for one in tried}
    assert tried[0].features["follows"] == 1
    found = evaluate(workspace, routes.router, [asked], routes=routes, outcomes=tried)
    assert found.routed[0].question == asked.question
    assert (found.routed[0].success or {})["retrieval"] == 1
    assert set(decided) == {(asked.searched, True)}


def outcome(text: str, route: str, score: float, **fields) -> Outcome:
    told = {"adapter": None, "cost": 1.0, "latency_ms": 1.0, "source": "suite"} | fields
    return Outcome(question=text, route=route, score=score, **told)


def outcomes(router: Router, count: int, serves) -> list[Outcome]:
    """Return what every route did with questions, told from a feature of each."""
    found = []
    for number in range(count):
        text = f"question {number}"
        near = number % 10 / 10
        features = dict(router.look(text), adapter=near, adapter_few=near)
        found += [
            outcome(text, route, serves(route, near), features=features) for route in router.routes
        ]
    return found


def test_what_does_better_on_questions_held_out_is_promoted(
    workspace: Workspace, router: Router
) -> None:
    def serves(route: str, near: float) -> float:
        return float(route == ("expert" if near < 0.5 else "retrieval"))

    learned = learn(workspace, router, outcomes(router, 120, serves))
    assert learned.promoted
    assert learned.comparison.difference > 0.2
    assert learned.learned + learned.held_out == 120
    assert Versions(workspace.path / "router").current() == learned.version == "0001"
    again = Router.open(workspace, router.embedder)
    assert again.version == "0001"
    notes = Versions(workspace.path / "router").notes("0001")
    assert notes["promoted"] is True


def test_what_is_no_better_is_written_down_and_not_used(
    workspace: Workspace, router: Router
) -> None:
    luck = iter(range(10_000))
    learned = learn(
        workspace, router, outcomes(router, 120, lambda route, near: float(next(luck) * 7 % 3 == 0))
    )
    versions = Versions(workspace.path / "router")
    assert not learned.promoted
    assert versions.current() == "default"
    assert versions.all() == ["0001"]


def test_of_another_embedder_only_the_words_are_kept(workspace: Workspace, router: Router) -> None:
    def write(folder: Path) -> None:
        for name in ("words.json", "classifier.json", "heads.safetensors"):
            (folder / name).write_text("{}")

    versions = Versions(workspace.path / "router")
    router.version = versions.add(write, {"embedder": "another"}, use=True)
    learned = learn(workspace, router, outcomes(router, 120, lambda route, near: float(near > 0.5)))
    kept = {path.name for path in versions.folder(learned.version).iterdir()}
    assert kept == {"words.json", "success.json", "notes.json"}


def test_too_few_questions_are_refused(workspace: Workspace, router: Router) -> None:
    with pytest.raises(RouterError, match="are too few to learn from"):
        learn(workspace, router, outcomes(router, 5, lambda route, near: near))


def test_a_suite_is_compared_with_where_it_should_go(workspace: Workspace, router: Router) -> None:
    known = question("what does error E17 of the press mean", route="expert", accepted=["stop"])
    asked = [known, question("who won the world cup in 1998", route="abstain")]
    kept = [
        outcome(
            known.question,
            route,
            float(route == "expert"),
            id=_trial(
                workspace,
                router,
                known,
                route,
                "press@1" if route in ("expert", "hybrid") else None,
            ),
        )
        for route in router.routes
    ]
    found = evaluate(workspace, router, asked, outcomes=kept)
    corrected = known.model_copy(update={"accepted": ("go",)})
    other = evaluate(workspace, router, [corrected], outcomes=kept)
    assert other.routed[0].success is None
    assert found.figures()["right"] == 1.0
    assert [one.success is not None for one in found.routed] == [True, False]
    assert found.fixed_routes()["expert"][0] == 1.0
    assert found.curve


def test_what_users_said_of_the_same_index_and_adapters_is_learned_from(
    workspace: Workspace, router: Router, routes: Routes
) -> None:
    said = outcome(
        "How many days of annual leave?",
        "retrieval",
        1.0,
        source="chat",
        index_version=router.memory.index,
        adapters=router.memory.references,
    )
    before = replace(said, id="before", index_version="another")
    with OutcomeStore(workspace.path / "router" / FILE) as store:
        store.add([said, before])
    (found,) = rated(workspace, router, routes)
    assert found.id == said.id
    assert "found" in found.features


def _always(bias: float, numbers: int) -> Logistic:
    return Logistic((0.0,) * numbers, bias, (0.0,) * numbers, (1.0,) * numbers)


def test_a_router_is_judged_by_the_stage_that_decides(router: Router) -> None:
    text = "How many days of annual leave?"
    tried = {
        route: outcome(
            text,
            route,
            float(route == "retrieval"),
            cost=0.0,
            features=router.look(text, probe=lambda _: []),
        )
        for route in router.routes
    }
    surely = {
        stage: {
            route: _always(9.0 if route == wanted else -9.0, len(router.success.names[stage]))
            for route in router.routes
        }
        for stage, wanted in ((1, "hybrid"), (2, "retrieval"))
    }
    heads = Success(surely, router.success.names)
    encoding = router.embedder.embed_query(text)
    assert _utility(heads, router, tried, encoding) < 0.5
