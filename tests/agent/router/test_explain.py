from dataclasses import replace

from agent.planning import FOR_TABLES
from agent.router.explain import explain
from agent.router.outdated import Outdated
from agent.router.router import Router

KNOWN = "what does error E17 of the press mean"


def test_nothing_sends_a_question_to_an_adapter_whose_documents_have_changed(
    router: Router,
) -> None:
    assert router.decide(KNOWN).route == "expert"
    changed = Outdated(1.0, frozenset(["press.md"]), frozenset(range(6)))
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
