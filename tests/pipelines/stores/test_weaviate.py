"""What the Weaviate store does before, or without, a server; the rest is in tests/integration."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from haystack import Pipeline
from haystack.components.writers import DocumentWriter
from haystack.core.serialization import allow_deserialization_module
from haystack.utils import Secret
from haystack_integrations.document_stores.weaviate import WeaviateDocumentStore

from pipelines.errors import StoreError
from pipelines.stores.weaviate import WeaviateStore

KEY = "EXPERT_TEST_KEY_OF_NO_SERVER"


@pytest.fixture
def server():
    """A loopback HTTP server: what it says, and the requests it got."""
    got = []
    said = {"status": 200, "body": {}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            got.append((self.path, dict(self.headers)))
            body = json.dumps(said["body"]).encode()
            self.send_response(said["status"])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    serving = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}", said, got
    serving.shutdown()
    thread.join()
    serving.server_close()


def test_it_is_weaviate_haystacks_store():
    assert issubclass(WeaviateStore, WeaviateDocumentStore)


def test_making_one_connects_to_nothing():
    WeaviateStore("http://127.0.0.1:9")


def test_a_server_that_is_not_there_is_told_in_one_line():
    store = WeaviateStore("http://127.0.0.1:9")
    with pytest.raises(
        StoreError, match=r"cannot reach Weaviate at http://127\.0\.0\.1:9"
    ) as raised:
        store.count_documents()
    assert "\n" not in str(raised.value)


async def test_the_same_for_the_asynchronous_client():
    store = WeaviateStore("http://127.0.0.1:9")
    for _ in range(2):
        with pytest.raises(StoreError, match="cannot reach Weaviate"):
            await store.count_documents_async()


def test_an_old_server_is_told(server):
    url, said, _ = server
    said["body"] = {"version": "1.30.5"}
    with pytest.raises(StoreError, match=r"Weaviate 1\.30\.5; 1\.36 or newer"):
        WeaviateStore(url).count_documents()


@pytest.mark.parametrize(("status", "body"), [(200, {}), (200, []), (500, {}), (302, {})])
def test_something_else_than_weaviate_is_told(server, status, body):
    url, said, _ = server
    said.update(status=status, body=body)
    with pytest.raises(StoreError):
        WeaviateStore(url).count_documents()


def test_a_key_is_sent_and_never_shown(server, monkeypatch):
    url, said, got = server
    said["status"] = 401
    monkeypatch.setenv(KEY, "a-secret-key")
    store = WeaviateStore(url, api_key=Secret.from_env_var(KEY))
    with pytest.raises(StoreError, match="refused the API key") as raised:
        store.count_documents()
    assert got[0][1]["authorization"] == "Bearer a-secret-key"
    shown = "".join(map(str, (raised.value, raised.value.__cause__, store.to_dict(), vars(store))))
    assert "a-secret-key" not in shown


def test_without_a_key_none_is_sent(server, monkeypatch):
    url, said, got = server
    said["body"] = {"version": "1.0.0"}
    monkeypatch.delenv(KEY, raising=False)
    for key in (None, Secret.from_env_var(KEY, strict=False)):
        with pytest.raises(StoreError):
            WeaviateStore(url, api_key=key).count_documents()
    assert got
    assert all("authorization" not in {name.lower() for name in headers} for _, headers in got)


def test_only_the_server_is_asked_anything(server, monkeypatch):
    """The client's own start-up checks would ask a package index for its newest version."""
    url, said, got = server
    said["body"] = {"version": "1.0.0"}
    with pytest.raises(StoreError):
        WeaviateStore(url).count_documents()
    assert {path for path, _ in got} == {"/v1/meta"}


def test_it_is_serialised_with_the_keys_place_in_a_pipeline():
    allow_deserialization_module("pipelines")
    pipeline = Pipeline()
    store = WeaviateStore(
        "https://weaviate.example:8443",
        collection="hr-handbook",
        api_key=Secret.from_env_var(KEY, strict=False),
        grpc_port=50052,
        return_embedding=True,
        timeout=5,
    )
    pipeline.add_component("writer", DocumentWriter(store))
    text = pipeline.dumps()
    assert KEY in text
    again = Pipeline.loads(text).get_component("writer").document_store
    assert isinstance(again, WeaviateStore)
    assert again.to_dict() == store.to_dict()


@pytest.mark.parametrize("name", ["", "a b", "x/y"])
def test_a_name_that_cannot_be_a_collections_is_refused(name):
    with pytest.raises(StoreError, match="cannot name a collection"):
        WeaviateStore(collection=name)


def test_the_missing_extra_is_named():
    script = (
        "import sys; sys.modules['weaviate'] = None\n"
        "from pipelines.errors import MissingExtraError\n"
        "try:\n    import pipelines.stores.weaviate\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    printed = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert printed.strip().endswith("in the checkout, pip install -e '.[weaviate]'")


def test_importing_it_loads_no_torch():
    script = "import sys, pipelines.stores.weaviate; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "False"
