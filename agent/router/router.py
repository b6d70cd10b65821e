"""Decide which route each question takes."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Self

import numpy as np

from agent.printable import printable
from agent.router import features as seen
from agent.router.classifier import FACTS, Classifier
from agent.router.decision import ROUTES, Decision, Route
from agent.router.features import Near, content_words
from agent.router.memory import Memory
from agent.router.outcomes import Outcome
from agent.router.outdated import Outdated, outdated
from agent.router.policy import Policy
from agent.router.remember import MOST_PASSAGES, memory_of, speller_of
from agent.router.speller import FILE as WORDS
from agent.router.speller import Speller, reads_whole, words_of
from agent.router.success import FILE, Success, shipped
from agent.router.versions import DEFAULT, Versions
from agent.workspace import Workspace
from pipelines.embed.embedder import Embedder, QueryEncoding
from pipelines.search import Hit

Probe = Callable[[str], Sequence[Hit]]
"""Finds passages for a question, best first."""

_MOST_READ = 20_000
_SHARP = 12.0
_SECOND = 0.1
_NAMED = 3


class Router:
    """Decides by one encoder pass, and by a look into the index where that leaves it open.

    :param embedder: The one whose vectors the index has.
    :param memory: What questions are compared with.
    :param success: How likely each route serves.
    :param policy: What is taken of it.
    :param classifier: Tells the adapters' domains; None for nearness alone.
    :param speller: Gives what mends words before they are looked at, once a question has one
        that nobody knows; None to leave them.
    :param version: Name of this router.
    :param changed: Of each adapter what has changed since it was trained, where anything has.
    """

    def __init__(
        self,
        embedder: Embedder,
        memory: Memory,
        success: Success,
        policy: Policy,
        *,
        classifier: Classifier | None = None,
        speller: Callable[[], Speller] | None = None,
        version: str = DEFAULT,
        changed: Mapping[str, Outdated] | None = None,
    ) -> None:
        self.embedder, self.memory, self.policy = embedder, memory, policy
        self.version = version
        self.success, self._speller, self._changed = success, speller, changed or {}
        fits = classifier is not None and set(classifier.labels) <= memory.adapters.keys()
        self._classifier = classifier if fits else None

    @classmethod
    def open(cls, workspace: Workspace, embedder: Embedder | None = None) -> Self:
        """Return a workspace's router; what has changed there since is taken in first.

        :param embedder: The one to use; None for the one that the settings name.
        :raises RouterError: When it cannot be read, or there is nothing to route to.
        :raises EmbedderError: When the embedder cannot be loaded or reached.
        """
        from agent.assemble import open_embedder

        embedder = embedder or open_embedder(workspace)
        versions = Versions(workspace.path / "router")
        version = versions.current()
        folder = versions.folder(version)
        # Heads that see encodings are of the embedder whose encodings they were fitted to.
        fits = versions.fits(version, embedder.fingerprint)
        heads = folder if fits else versions.folder(DEFAULT)
        settings = workspace.settings.router
        memory = memory_of(workspace, embedder)
        speller: Callable[[], Speller] | None = None
        if (folder / WORDS).is_file():
            speller = partial(Speller.load, folder / WORDS)
        elif embedder.has_token_states:
            # Others cannot tell which words are whole.
            speller = partial(speller_of, workspace)
        return cls(
            embedder,
            memory,
            success_of(heads, memory),
            Policy(settings.costs, settings.cost_weight, settings.margin),
            classifier=Classifier.load(heads) if (heads / FACTS).is_file() else None,
            speller=None if speller is None else cache(speller),
            version=version,
            changed=outdated(workspace, embedder, memory.adapters),
        )

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes that there are here."""
        return routes_of(self.memory)

    def is_of_now(self, outcome: Outcome) -> bool:
        """Whether an outcome came of the index and the adapters that there are."""
        memory = self.memory
        return outcome.index_version == memory.index and outcome.adapters == memory.references

    def decide(
        self, question: str, *, follows: bool = False, probe: Probe | None = None
    ) -> Decision:
        """Decide about a question.

        :param question: Any text.
        :param follows: Whether a conversation goes before it.
        :param probe: Looks into the index where the question alone leaves it open; None to
            decide by the question alone.
        """
        asked = _asked(question)
        text = self._mended(asked)
        if not text:
            return self._nothing()
        return self._decide(asked, text, self.embedder.embed_query(text), follows, probe)

    def decide_many(
        self,
        questions: Sequence[str],
        *,
        follows: Sequence[bool] | None = None,
        probe: Probe | None = None,
    ) -> list[Decision]:
        """Decide about many questions, encoded together; see :meth:`decide`."""
        asked = [_asked(question) for question in questions]
        texts = [self._mended(question) for question in asked]
        encodings = iter(self.embedder.embed_queries([text for text in texts if text]))
        return [
            self._decide(one, text, next(encodings), after, probe) if text else self._nothing()
            for one, text, after in zip(asked, texts, follows or [False] * len(texts), strict=True)
        ]

    def look(
        self, question: str, *, follows: bool = False, probe: Probe | None = None
    ) -> dict[str, float]:
        """Return all features of a question, those of both stages where there is a probe."""
        asked = _asked(question)
        text = self._mended(asked) or " "
        encoding = self.embedder.embed_query(text)
        found, _ = self._near(encoding)
        values = self._of_question(text, encoding, found, follows)
        if probe is None:
            return values
        return values | self._of_index(text, encoding, found, probe(asked))

    def is_outdated(self, adapter: str, question: str) -> bool:
        """Whether a question may ask for what an adapter learned from documents that have changed.

        :param adapter: Name and version, such as ``hr@3``.
        """
        name = adapter.partition("@")[0]
        changed, known = self._changed.get(name), self.memory.adapters.get(name)
        if changed is None or known is None:
            return False
        if not changed.questions or known.reference != adapter:
            return True  # nobody knows what of it rests on them
        text = self.read(question)
        return changed.fact(known, text, self.embedder.embed_query(text).vector) is not None

    def read(self, question: str) -> str:
        """Return a question as it is looked at: its words mended, a very long one cut."""
        return self._mended(_asked(question))

    def mended(self, question: str, *, is_answered: bool = False) -> str | None:
        """Return a question with its unknown words mended; None where none is.

        Where the speller has seen every passage, a word that only begins as known ones do
        ("inspecton") is mended, too.

        :param is_answered: It was answered as it is written, so that no such word is doubted.
        """
        asked = _asked(question)
        doubts = not is_answered and len(self.memory.passages) < MOST_PASSAGES
        mended = self._mended(asked, self._is_in_title if doubts else None, beside=False)
        return None if mended == asked.strip() else mended

    def _mended(
        self, asked: str, is_known: Callable[[str], bool] | None = None, *, beside: bool = True
    ) -> str:
        text, is_word = asked.strip(), partial(reads_whole, self.embedder)
        is_known = is_known or self._is_known
        if self._speller is None or all(is_word(word) or is_known(word) for word in words_of(text)):
            return text
        return self._speller().mend(text, is_known, is_word, beside=beside)

    def _is_in_title(self, word: str) -> bool:
        return content_words(word) <= self.memory.titles

    def _is_known(self, word: str) -> bool:
        """Whether a word stands in the workspace as it is now; the speller was made before."""
        memory = self.memory
        return all(one in memory.words or one in memory.titles for one in content_words(word))

    def _near(self, encoding: QueryEncoding) -> tuple[Near, dict[str, float]]:
        """Return the adapter that a question is nearest to, and the share of each domain."""
        memory = self.memory
        if not memory.adapters:
            return Near(None), {}
        domain: dict[str, float] = {}
        if self._classifier is not None:
            shares = self._classifier.run([encoding]).classes[0]
            domain = dict(zip(self._classifier.labels, map(float, shares), strict=True))
        if len(domain) < len(memory.adapters):
            # What no classifier was taught is told by nearness.
            by_nearness = self._by_nearness(encoding)
            taught = sum(by_nearness[name] for name in domain)
            domain = by_nearness | {name: taught * share for name, share in domain.items()}
        return seen.near(encoding.vector, memory, domain), domain

    def _by_nearness(self, encoding: QueryEncoding) -> dict[str, float]:
        adapters = self.memory.adapters
        cosines = np.array(
            [float((one.vectors @ encoding.vector).max()) for one in adapters.values()]
        )
        raised = np.exp(_SHARP * (cosines - cosines.max()))
        return dict(zip(adapters, map(float, raised / raised.sum()), strict=True))

    def _of_question(
        self, text: str, encoding: QueryEncoding, found: Near, follows: bool
    ) -> dict[str, float]:
        changed = self._changed.get(found.adapter or "")
        return seen.of_question(
            text,
            encoding.vector,
            self.memory,
            found,
            follows=follows,
            stale=changed.share if changed is not None else 0.0,
        )

    def _of_index(
        self, text: str, encoding: QueryEncoding, found: Near, hits: Sequence[Hit]
    ) -> dict[str, float]:
        parts = seen.parts_of(text)
        encoded = self.embedder.embed_queries(parts) if len(parts) > 1 else [encoding]
        vectors = np.stack([one.vector for one in encoded])
        return seen.of_index(text, hits, vectors, self.memory, found)

    def _decide(
        self, asked: str, text: str, encoding: QueryEncoding, follows: bool, probe: Probe | None
    ) -> Decision:
        found, domain = self._near(encoding)
        values = self._of_question(text, encoding, found, follows)
        stage, told = 1, self._told(values, 1, encoding)
        route, lead = self.policy.choose(told)
        adapter = self.memory.adapters.get(found.adapter or "")
        changed = self._changed.get(found.adapter or "")
        # To withhold is not decided before the documents were asked, nor to trust what an
        # adapter knows of documents that have changed.
        open_ = lead < self.policy.margin or route == "abstain" or changed is not None
        hits: Sequence[Hit] = ()
        if open_ and probe is not None and self.memory.index:
            hits = probe(asked)
            values |= self._of_index(text, encoding, found, hits)
            stage, told = 2, self._told(values, 2, encoding)
            route, lead = self.policy.choose(told)
        old: tuple[str, ...] = ()
        fact = None
        if adapter is not None and changed is not None and "expert" in told:
            old = changed.touching(adapter, encoding.vector, hits)
            fact = changed.fact(adapter, text, encoding.vector)
            if fact is not None:
                old = tuple(sorted(changed.documents.intersection(fact.documents)))
            if old:
                told = without_memory(told)
                route, lead = self.policy.choose(told)
        writes = route in ("expert", "hybrid")
        shares = sorted(domain.values(), reverse=True)
        close = len(shares) > 1 and shares[0] - shares[1] < _SECOND
        return Decision(
            route=route,  # type: ignore[arg-type]
            adapter=adapter.reference if writes and adapter is not None else None,
            probabilities=told,
            domain=domain,
            out_of_scope=told["abstain"],
            expected_cost=self.policy.costs.get(route, 0.0),
            stage=stage,
            reasons=self._reasons(route, values, found, stage, old),
            router_version=self.version,
            second_adapter=found.second[0] if writes and close else None,
            features=values,
            knew=fact,
            nearest=adapter.reference if adapter is not None else None,
        )

    def _told(
        self, values: Mapping[str, float], stage: int, encoding: QueryEncoding
    ) -> dict[str, float]:
        found = self.success.probabilities(values, stage, encoding)
        return {route: found[route] for route in self.routes if route in found}

    def _reasons(
        self,
        route: str,
        values: Mapping[str, float],
        found: Near,
        stage: int,
        old: Sequence[str],
    ) -> tuple[str, ...]:
        said = []
        if old:
            named = ", ".join(old[:_NAMED]) + (" and others" if len(old) > _NAMED else "")
            said.append(f"{found.adapter} learned it from documents that have changed: {named}")
        if route in ("expert", "hybrid"):
            said.append(
                f"{found.adapter} was trained on “{_short(found.question)}” "
                f"(cosine {values['adapter']:.2f})"
            )
            if values["stale"]:
                said.append(f"{values['stale']:.0%} of its documents have changed since")
        if route in ("retrieval", "hybrid"):
            near = values.get("found", values["passages"])
            said.append(f"passages of the index are about it (cosine {near:.2f})")
        if route == "retrieval" and found.adapter is not None:
            said.append(f"no adapter was trained on it (nearest {values['adapter']:.2f})")
        if route == "abstain":
            others = f"the documents ({values.get('found', values['passages']):.2f})"
            if found.adapter is not None:
                others += f" or to what an adapter was trained on ({values['adapter']:.2f})"
            foreign = f"it is nearer to everyday questions (cosine {values['foreign']:.2f})"
            said.append(f"{foreign} than to {others}")
        said.append("the question alone decided" if stage == 1 else "the index was looked at")
        return tuple(said)

    def _nothing(self) -> Decision:
        return Decision(
            route="abstain",
            adapter=None,
            probabilities={route: float(route == "abstain") for route in self.routes},
            domain=dict.fromkeys(self.memory.adapters, 0.0),
            out_of_scope=1.0,
            expected_cost=0.0,
            stage=1,
            reasons=("the question is empty",),
            router_version=self.version,
        )


def success_of(folder: Path, memory: Memory) -> Success:
    """Return the heads of a version, or those that ship where it has none for these routes.

    :param folder: The version's.
    """
    path = folder / FILE
    if path.is_file():
        found = Success.load(path)
        if found.heads[1].keys() >= {*routes_of(memory)}:
            return found
    return Success.load(shipped(adapters=bool(memory.adapters), passages=len(memory.passages)))


def routes_of(memory: Memory) -> tuple[Route, ...]:
    """Return the routes that there are where this is what is remembered."""
    there: dict[Route, bool] = {
        "retrieval": bool(memory.index),
        "expert": bool(memory.adapters),
        "hybrid": bool(memory.index and memory.adapters),
        "abstain": True,
    }
    return tuple(route for route in ROUTES if there[route])


def without_memory(told: Mapping[str, float]) -> dict[str, float]:
    """Return how likely routes serve where what an adapter knew is out of date."""
    # It stands in the documents, where it is looked up instead.
    looked_up = {"retrieval": max(told["retrieval"], told["expert"])} if "retrieval" in told else {}
    return {**told, **looked_up, "expert": 0.0}


def _asked(question: str) -> str:
    """Return a question as it is searched for: a very long one cut, without what no text holds."""
    return printable(question[:_MOST_READ])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
