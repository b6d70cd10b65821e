from dataclasses import replace
from functools import partial

from adapters.card import AdapterCard
from agent.planning import FOR_TABLES
from agent.router.explain import explain
from agent.router.outdated import Outdated
from agent.router.router import Router
from pipelines.taught import Taught
from tests.agent.router.conftest import EXAMPLE

KNOWN = "what does error E17 of the press mean"


def test_nothing_sends_a_question_to_an_adapter_whose_documents_have_changed(
    router: Router,
) -> None:
    assert router.decide(KNOWN).route == "expert"
    known = router.memory.adapters["press"]
    sources = (("press.md",),) * len(known.questions)
    card = AdapterCard.read(EXAMPLE).model_copy(
        update={"questions": known.questions, "question_sources": sources, "question_answers": ()}
    )
    taught = partial(Taught.of, card, router.embedder, known.vectors)
    changed = Outdated(1.0, frozenset(["press.md"]), card, taught)
    outdated = Router(
        router.embedder,
        router.memory,
        router.success,
        router.policy,
        changed={"press": changed},
    )
    decision = outdated.decide(KNOWN)
    assert decision.probabilities["expert"] == 0
    found = explain(outdated, KNOWN, decision)
    assert "expert" not in {change.route for change in found.changes}


def test_what_the_tables_took_over_goes_nowhere_else(router: Router) -> None:
    decision = replace(router.decide(KNOWN), route="retrieval", reasons=(FOR_TABLES,))
    found = explain(router, KNOWN, decision)
    assert (found.weighed, found.changes) == ((), ())
    assert found.examples[0][0] == "press"
