"""Real servers for the tests marked `integration`; their addresses come from the environment."""

import os
import uuid

import pytest
from haystack.utils import Secret

_URL = "EXPERT_TEST_WEAVIATE_URL"
_GRPC_PORT = "EXPERT_TEST_WEAVIATE_GRPC_PORT"
_API_KEY = "EXPERT_TEST_WEAVIATE_API_KEY"


class _NoServer(pytest.Module):
    def collect(self):
        pytest.skip(
            f"no Weaviate server: set {_URL}, {_GRPC_PORT} (50051 without it) "
            f"and {_API_KEY} where the server asks for a key"
        )


def pytest_pycollect_makemodule(module_path, parent):
    if module_path.name.startswith("test_weaviate") and not os.environ.get(_URL):
        return _NoServer.from_parent(parent, path=module_path)
    return None


@pytest.fixture
def weaviate_server():
    """What a store needs to reach the server."""
    return {
        "url": os.environ[_URL],
        "grpc_port": int(os.environ.get(_GRPC_PORT, "50051")),
        "api_key": Secret.from_env_var(_API_KEY, strict=False),
    }


@pytest.fixture
def weaviate_collection(weaviate_server):
    """A new collection's name; it is dropped afterwards."""
    from pipelines.stores.weaviate import WeaviateStore

    name = f"Test_{uuid.uuid4().hex}"
    yield name
    store = WeaviateStore(**weaviate_server, collection=name)
    store.client.collections.delete(name)
    store.close()
