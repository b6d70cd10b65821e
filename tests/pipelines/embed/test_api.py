"""API embedders against a real HTTP server on loopback that speaks their protocol."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from haystack.utils import Secret

from pipelines.embed import api, open_embedder
from pipelines.embed.embedder import Embedder
from pipelines.errors import EmbedderError

KEY = "sk-very-secret"


class Server(ThreadingHTTPServer):
    """Answers with the statuses in ``failures`` first, then with vectors."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.failures: list[int | None] = []
        self.requests: list[dict[str, object]] = []
        self.width = 8


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body | {"authorization": self.headers["Authorization"]})
        failure = self.server.failures.pop(0) if self.server.failures else 200
        if failure is None:
            self.connection.close()
            return
        if failure != 200:
            message = {401: f"Incorrect API key provided: {KEY}", 429: "slow down"}.get(
                failure, "x"
            )
            self.answer(failure, {"error": {"message": message}, "detail": message})
            return
        width = body.get("dimensions") or self.server.width
        data = [
            {
                "object": "embedding",
                "index": i,
                "embedding": [float(len(text))] + [1.0] * (width - 1),
            }
            for i, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        # In any order, as the protocol allows.
        self.answer(200, {"data": data[::-1], "model": body["model"], "usage": usage})

    def answer(self, status: int, content: object) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(api.time, "sleep", lambda seconds: None)
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def opened(server: Server, name: str, **options: object) -> Embedder:
    path = "/v1" if name.startswith("openai") else "/v1/embeddings"
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return open_embedder(name, api_key=Secret.from_token(KEY), api_base_url=url, **options)


NAMES = pytest.mark.parametrize(
    "name", ["openai:text-embedding-3-small", "jina:jina-embeddings-v3"]
)


@NAMES
def test_vectors_come_back_normalised_and_many_at_once(server: Server, name: str) -> None:
    embedder = opened(server, name)
    assert embedder.dimensions == 8
    texts = [f"text {'x' * n}" for n in range(150)]
    vectors = embedder.embed_passages(texts).vectors
    assert vectors.shape == (150, 8)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(150), abs=1e-5)
    assert len(server.requests) == 1 + 3
    assert server.requests[0]["authorization"] == f"Bearer {KEY}"
    assert embedder.embed_query("hello").tokens is None
    assert embedder.fingerprint == f"{name}:full"


@NAMES
def test_limits_failures_and_dropped_connections_are_outlasted(server: Server, name: str) -> None:
    server.failures = [429, 500, None, 503]
    vectors = opened(server, name).embed_passages(["a", "b"]).vectors
    assert vectors.shape == (2, 8)
    assert len(server.requests) == 5


def test_jina_is_told_questions_from_passages(server: Server) -> None:
    embedder = opened(server, "jina:jina-embeddings-v3")
    embedder.embed_query("a")
    embedder.embed_passages(["b"])
    tasks = [request.get("task") for request in server.requests]
    assert tasks == ["retrieval.query", "retrieval.passage"]
    opened(server, "jina:jina-embeddings-v2-base-en").embed_query("a")
    assert "task" not in server.requests[-1]


@NAMES
def test_a_wrong_key_is_said_once_and_not_shown(server: Server, name: str) -> None:
    server.failures = [401] * 50
    with pytest.raises(EmbedderError) as caught:
        opened(server, name).embed_query("a")
    assert "Incorrect API key" in str(caught.value)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 1


@NAMES
def test_a_server_that_keeps_failing_is_given_up(server: Server, name: str) -> None:
    server.failures = [500] * 100
    with pytest.raises(EmbedderError, match=f"{name} cannot embed"):
        opened(server, name).embed_query("a")


def test_shorter_vectors_can_be_asked_for(server: Server) -> None:
    embedder = opened(server, "openai:text-embedding-3-large", dimensions=4)
    assert embedder.embed_query("a").vector.shape == (4,)
    assert server.requests[0]["dimensions"] == 4
    assert embedder.fingerprint.endswith(":4")


def test_vectors_of_another_length_are_refused(server: Server) -> None:
    embedder = opened(server, "jina:m")
    embedder.embed_query("a")
    server.width = 9
    with pytest.raises(EmbedderError, match="gave vectors of 9 numbers, not 8"):
        embedder.embed_query("a")


def test_without_a_key_it_says_where_to_put_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(EmbedderError, match="set EXPERT_EMBEDDER__API_KEY or OPENAI_API_KEY"):
        open_embedder("openai:text-embedding-3-small")


def test_an_api_gives_no_token_states(server: Server) -> None:
    with pytest.raises(EmbedderError, match="gives no token states"):
        opened(server, "openai:m").embed_states(["a"])
