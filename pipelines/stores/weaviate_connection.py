"""How the Weaviate store reaches its server, and what to say when it does not."""

import re
from collections.abc import Callable, Generator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]
import httpx
from weaviate.connect import ConnectionParams, ProtocolParams
from weaviate.exceptions import (
    UnexpectedStatusCodeError,
    WeaviateBaseError,
    WeaviateConnectionError,
    WeaviateStartUpError,
)

from pipelines.errors import EmbedderMismatchError, StoreError

T = TypeVar("T")
# A conversation with the server, written once: it yields what the client's methods return,
# a result from the synchronous client and an awaitable from the asynchronous one, and is
# sent the result.
Conversation = Generator[Any, Any, T]

SERVER_ERRORS = (WeaviateBaseError, grpc.RpcError, httpx.HTTPError)
_OLDEST = (1, 36)
_LONGEST_REASON = 300


def hold(conversation: Conversation[T], explain: Callable[[Exception], StoreError]) -> T:
    """Hold a conversation with the synchronous client.

    :param explain: Makes a readable error of the client's.
    :raises StoreError: When the server cannot be reached or refuses something.
    """
    reply = None
    try:
        while True:
            reply = conversation.send(reply)
    except StopIteration as end:
        answer: T = end.value
        return answer
    except SERVER_ERRORS as error:
        raise explain(error) from error


async def hold_async(
    conversation: Conversation[T], explain: Callable[[Exception], StoreError]
) -> T:
    """Hold a conversation with the asynchronous client; see :func:`hold`."""
    step: Callable[[Any], Any] = conversation.send
    reply: Any = None
    try:
        while True:
            asked = step(reply)
            try:
                reply, step = await asked, conversation.send
            except Exception as error:
                reply, step = error, conversation.throw
    except StopIteration as end:
        answer: T = end.value
        return answer
    except SERVER_ERRORS as error:
        raise explain(error) from error
    finally:
        conversation.close()


def connection_params(url: str, grpc_port: int, grpc_secure: bool) -> ConnectionParams:
    """Return where the server's two interfaces are.

    :param url: ``http://host:port`` or ``https://host``; the port is 80 or 443 by default.
    :param grpc_port: Port of the gRPC interface on the same host. Weaviate Cloud has it on
        a host of its own, which is derived from the URL.
    :param grpc_secure: Use TLS for gRPC even when the URL is http; with https it always is.
    :raises StoreError: When the URL is not one, or carries a password or a path.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StoreError("the Weaviate URL must look like http://localhost:8080")
    if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        raise StoreError(
            "the Weaviate URL must be a host and port alone; the API key has a setting of its own"
        )
    secure = parts.scheme == "https"
    http = ProtocolParams(host=parts.hostname, port=port or (443 if secure else 80), secure=secure)
    if parts.hostname.endswith(".weaviate.cloud"):
        cloud = ProtocolParams(host=f"grpc-{parts.hostname}", port=443, secure=True)
        return ConnectionParams(http=http, grpc=cloud)
    if grpc_port == http.port:
        raise StoreError(f"HTTP and gRPC cannot share port {grpc_port}; Weaviate's gRPC is 50051")
    return ConnectionParams(
        http=http,
        grpc=ProtocolParams(host=parts.hostname, port=grpc_port, secure=secure or grpc_secure),
    )


def check_version(version: str) -> None:
    """Refuse a server that lacks what the store relies on.

    :raises StoreError: When it is older than 1.36.
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST:
        raise StoreError(
            f"the server is Weaviate {version[:20]}; 1.36 or newer is needed: upgrade its image"
        )


def check_grpc(params: ConnectionParams, timeout: float) -> None:
    """Make sure that the gRPC interface answers, since the client would retry for a minute.

    :param timeout: Seconds to wait.
    :raises StoreError: When nothing answers there.
    """
    target = f"{params.grpc.host}:{params.grpc.port}"
    channel = (
        grpc.secure_channel(target, grpc.ssl_channel_credentials())
        if params.grpc.secure
        else grpc.insecure_channel(target)
    )
    try:
        # Weaviate's health service; request and reply are small enough to need no classes.
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=timeout)
    except grpc.RpcError:
        raise StoreError(
            f"Weaviate answers over HTTP, but not over gRPC at {target} "
            f"({'with' if params.grpc.secure else 'without'} TLS): check the gRPC port"
        ) from None
    finally:
        channel.close()


def explain(url: str, error: Exception) -> StoreError:
    """Return a one-line error for what the client raised.

    :param url: The server's URL, which holds no secret (see :func:`connection_params`).
    """
    status = error.status_code if isinstance(error, UnexpectedStatusCodeError) else None
    if status in (401, 403):
        return StoreError(f"Weaviate at {url} refused the API key: check the key and its rights")
    if isinstance(error, WeaviateStartUpError | WeaviateConnectionError | httpx.HTTPError):
        return StoreError(
            f"cannot reach Weaviate at {url}: check that it runs and that the URL is right"
        )
    message = str(error)
    if status == 404 or "could not find class" in message:
        return StoreError(f"Weaviate at {url} no longer has the index: it was deleted meanwhile")
    if "UNAUTHENTICATED" in message or "PERMISSION_DENIED" in message:
        return StoreError(f"Weaviate at {url} refused the API key: check the key and its rights")
    if "UNAVAILABLE" in message or "DEADLINE_EXCEEDED" in message:
        return StoreError(f"Weaviate at {url} does not answer: check that it runs, then try again")
    return refusal(message)


def refusal(message: str) -> StoreError:
    """Return a one-line error for what the server said."""
    if "vector lengths don't match" in message or "vector dimensions do not match" in message:
        return EmbedderMismatchError(
            "the index holds vectors of another length: another embedder made it; index anew"
        )
    return StoreError(f"Weaviate refused it: {' '.join(message.split())[:_LONGEST_REASON]}")
