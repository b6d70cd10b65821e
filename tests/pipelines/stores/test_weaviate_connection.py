import asyncio

import httpx
import pytest
from weaviate.exceptions import (
    UnexpectedStatusCodeError,
    WeaviateConnectionError,
    WeaviateQueryError,
)

from pipelines.errors import EmbedderMismatchError, StoreError
from pipelines.stores.weaviate_connection import (
    check_version,
    connection_params,
    explain,
    hold,
    hold_async,
)


def test_where_the_interfaces_are():
    plain = connection_params("http://weaviate.local:8080/", 50051, grpc_secure=False)
    assert (plain.http.host, plain.http.port, plain.http.secure) == ("weaviate.local", 8080, False)
    assert (plain.grpc.host, plain.grpc.port, plain.grpc.secure) == ("weaviate.local", 50051, False)
    assert connection_params("http://a", 50051, grpc_secure=True).grpc.secure
    tls = connection_params("https://a", 50051, grpc_secure=False)
    assert (tls.http.port, tls.http.secure, tls.grpc.secure) == (443, True, True)
    assert connection_params("http://[::1]:8080", 50051, grpc_secure=False).http.host == "::1"


def test_weaviate_cloud_has_its_grpc_elsewhere():
    cloud = connection_params("https://x.c0.weaviate.cloud", 50051, grpc_secure=False)
    assert (cloud.grpc.host, cloud.grpc.port) == ("grpc-x.c0.weaviate.cloud", 443)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:8080", "must look like"),
        ("ftp://localhost", "must look like"),
        ("http://", "must look like"),
        ("http://localhost:port", "must look like"),
        ("http://user:secret@localhost:8080", "a setting of its own"),
        ("http://localhost:8080/v1", "host and port alone"),
        ("http://localhost:50051", "cannot share port 50051"),
    ],
)
def test_urls_that_are_none_are_refused_without_showing_them(url, said):
    with pytest.raises(StoreError, match=said) as raised:
        connection_params(url, 50051, grpc_secure=False)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("version", ["1.36.0", "1.40.0-dev", "1.100.2", "2.0.0"])
def test_versions_that_will_do(version):
    check_version(version)


@pytest.mark.parametrize("version", ["1.35.9", "1.4.0", "0.99.0", "", "None", "devel"])
def test_versions_that_will_not(version):
    with pytest.raises(StoreError, match=r"1\.36 or newer"):
        check_version(version)


def refused(status):
    return UnexpectedStatusCodeError("Meta endpoint", httpx.Response(status, json={"error": "no"}))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refused(401), "refused the API key"),
        (refused(403), "refused the API key"),
        (refused(404), "deleted meanwhile"),
        (WeaviateQueryError("could not find class X in schema", "GRPC"), "deleted meanwhile"),
        (WeaviateQueryError("status = PERMISSION_DENIED", "GRPC"), "refused the API key"),
        (WeaviateQueryError("StatusCode.UNAVAILABLE", "GRPC"), "does not answer"),
        (WeaviateConnectionError("refused"), "cannot reach Weaviate at http://here"),
        (httpx.ReadTimeout("slow"), "cannot reach Weaviate at http://here"),
        (refused(500), "Weaviate refused it"),
    ],
)
def test_errors_are_one_line_that_says_what_to_check(error, said):
    explained = explain("http://here", error)
    assert said in str(explained)
    assert "\n" not in str(explained)


def test_vectors_of_another_length_are_another_embedders():
    error = WeaviateQueryError("knn: 2 vs 3: vector lengths don't match", "GRPC")
    assert isinstance(explain("http://here", error), EmbedderMismatchError)


def asking(questions, failing=()):
    """Hold a conversation whose server answers n with n * n and fails where told."""

    def conversation(ask):
        answers = []
        for question in questions:
            try:
                answers.append((yield ask(question)))
            except WeaviateConnectionError:
                if question in failing:
                    raise
                answers.append("caught")
        return answers

    return conversation


def square(number):
    if number < 0:
        raise WeaviateConnectionError("refused")
    return number * number


async def square_later(number):
    await asyncio.sleep(0)
    return square(number)


def in_one_line(error):
    return StoreError(f"explained: {type(error).__name__}")


def test_a_conversation_is_the_same_with_either_client():
    conversation = asking([1, 2, -1, 3])
    expected = [1, 4, "caught", 9]
    assert hold(conversation(square), in_one_line) == expected
    assert asyncio.run(hold_async(conversation(square_later), in_one_line)) == expected


def test_its_errors_are_explained_with_either_client():
    conversation = asking([1, -1], failing=[-1])
    with pytest.raises(StoreError, match="explained: WeaviateConnectionError"):
        hold(conversation(square), in_one_line)
    with pytest.raises(StoreError, match="explained: WeaviateConnectionError"):
        asyncio.run(hold_async(conversation(square_later), in_one_line))


def test_errors_that_are_not_the_servers_pass():
    def conversation():
        yield 1
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        hold(conversation(), in_one_line)
