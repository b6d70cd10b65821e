from haystack import Pipeline, component

from agent.router.component import QuestionRouter
from agent.workspace import Workspace


@component
class Told:
    """Keeps what reached it."""

    @component.output_types(text=str)
    def run(self, text: str) -> dict[str, str]:
        return {"text": text}


def test_only_the_route_taken_runs(workspace: Workspace) -> None:
    pipeline = Pipeline()
    pipeline.add_component("router", QuestionRouter(workspace=str(workspace.path)))
    for route in ("retrieval", "expert", "abstain"):
        pipeline.add_component(route, Told())
        pipeline.connect(f"router.{route}", f"{route}.text")
    question = "what does error E17 of the press mean"
    found = pipeline.run({"router": {"question": question}})
    assert found["expert"] == {"text": question}
    assert {"retrieval", "abstain"}.isdisjoint(found)
    assert found["router"]["adapter"] == "press@1"
    assert found["router"]["decision"].route == "expert"


def test_it_is_serialised_by_its_workspace(workspace: Workspace) -> None:
    again = QuestionRouter.from_dict(QuestionRouter(workspace=str(workspace.path)).to_dict())
    assert again.workspace == str(workspace.path)
