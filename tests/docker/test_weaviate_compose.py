"""The compose file of one Weaviate: valid, pinned, closed to strangers, kept over restarts."""

import re
from pathlib import Path

import pytest
import yaml

FILE = Path(__file__).parents[2] / "docker" / "compose.weaviate.yaml"
REFERENCE = re.compile(r"\$\{(\w+)(?:(:[?-])([^}]*))?\}")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def service(compose):
    (only,) = compose["services"].values()
    return only


def test_the_image_is_pinned_to_a_release_that_the_store_accepts(service):
    from pipelines.stores.weaviate_connection import check_version

    tag = re.fullmatch(
        r"cr\.weaviate\.io/semitechnologies/weaviate:(\d+\.\d+\.\d+)", service["image"]
    )
    check_version(tag[1])


def test_every_variable_has_a_default_except_the_key_which_is_required():
    references = {name: (kind, value) for name, kind, value in REFERENCE.findall(FILE.read_text())}
    kind, message = references.pop("EXPERT_WEAVIATE__API_KEY")
    assert kind == ":?"
    assert "EXPERT_WEAVIATE__API_KEY" in message
    assert references
    assert all(kind == ":-" and value for kind, value in references.values())


def test_only_the_key_opens_it(service):
    environment = service["environment"]
    assert environment["AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED"] == "false"
    assert environment["AUTHENTICATION_APIKEY_ENABLED"] == "true"
    assert environment["AUTHENTICATION_APIKEY_ALLOWED_KEYS"].startswith(
        "${EXPERT_WEAVIATE__API_KEY:?"
    )
    assert (
        environment["AUTHENTICATION_APIKEY_USERS"] == environment["AUTHORIZATION_ADMINLIST_USERS"]
    )


def test_ports_are_open_to_this_machine_only(service):
    ports = [REFERENCE.sub(lambda found: found[3], port) for port in service["ports"]]
    assert ports == ["127.0.0.1:8080:8080", "127.0.0.1:50051:50051"]


def test_data_outlive_the_container(compose, service):
    (mount,) = service["volumes"]
    volume, path = mount.split(":")
    assert volume in compose["volumes"]
    assert service["environment"]["PERSISTENCE_DATA_PATH"] == path
    assert service["environment"]["CLUSTER_HOSTNAME"]
    assert service["restart"] == "unless-stopped"


def test_health_is_the_servers_own_readiness(service):
    assert service["healthcheck"]["test"][-1] == "http://127.0.0.1:8080/v1/.well-known/ready"


def test_nothing_is_reported_and_nothing_is_indexed_later(service):
    environment = service["environment"]
    assert environment["DISABLE_TELEMETRY"] == "true"
    assert environment["ASYNC_INDEXING"] == "false"
    assert environment["AUTOSCHEMA_ENABLED"] == "false"


def test_every_setting_is_text(service):
    # YAML's bare true, 1 and no would reach the server spelled otherwise.
    assert all(isinstance(value, str) for value in service["environment"].values())
