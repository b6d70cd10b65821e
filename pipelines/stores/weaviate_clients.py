"""The connections of one Weaviate store: opened when needed, one for each kind of client."""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

import weaviate
from haystack.utils import Secret
from weaviate.auth import AuthApiKey
from weaviate.config import AdditionalConfig, Timeout

from pipelines.errors import StoreError
from pipelines.stores.weaviate_connection import (
    Conversation,
    check_grpc,
    connection_params,
    explain,
    hold,
    hold_async,
)
from pipelines.stores.weaviate_operations import Server

T = TypeVar("T")
P = ParamSpec("P")
Operation = Callable[Concatenate[Server, P], Conversation[T]]
Opening = Callable[[Any], Conversation[Server]]

# The client logs refused documents whole; the store raises an error that says why instead.
logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)


class Clients:
    """Opens and closes the clients and carries out operations with them.

    :param opening: The conversation that connects a client.
    :param headers: Sent with each request.
    :param url: See :class:`pipelines.stores.weaviate.WeaviateStore`, as the others.
    """

    def __init__(
        self,
        opening: Opening,
        headers: dict[str, Any],
        *,
        url: str,
        api_key: Secret | None,
        grpc_port: int,
        grpc_secure: bool,
        connect_timeout: float,
        timeout: float,
    ) -> None:
        self._opening = opening
        self._headers = headers
        self._url = url
        self._params = connection_params(url, grpc_port, grpc_secure)
        self._api_key = api_key
        self._timeout = Timeout(init=connect_timeout, query=timeout, insert=3 * timeout)
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._server_async: asyncio.Task[Server] | None = None

    def do(self, operation: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Carry out an operation with the synchronous client."""
        return hold(operation(self.open(), *args, **kwargs), self._explain)

    async def do_async(self, operation: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Carry out an operation with the asynchronous client."""
        server = await self.open_async()
        return await hold_async(operation(server, *args, **kwargs), self._explain)

    def open(self) -> Server:
        """Return the synchronous connection, opened if need be."""
        with self._lock:
            if self._server is None:
                client = weaviate.WeaviateClient(**self._settings())
                try:
                    server = hold(self._opening(client), self._explain)
                    check_grpc(self._params, self._timeout.init)
                except BaseException:
                    client.close()
                    raise
                self._server = server
            return self._server

    async def open_async(self) -> Server:
        """Return the asynchronous connection of the running event loop, opened if need be."""
        opened = self._server_async
        failed = opened and opened.done() and (opened.cancelled() or opened.exception())
        if opened is None or failed or opened.get_loop() is not asyncio.get_running_loop():
            await self.close_async()
            opened = self._server_async = asyncio.create_task(self._connect())
        return await asyncio.shield(opened)

    async def _connect(self) -> Server:
        client = weaviate.WeaviateAsyncClient(**self._settings())
        try:
            server = await hold_async(self._opening(client), self._explain)
            await asyncio.to_thread(check_grpc, self._params, self._timeout.init)
        except BaseException:
            await client.close()
            raise
        return server

    def close(self) -> None:
        """Close the synchronous connection."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.client.close()

    async def close_async(self) -> None:
        """Close the asynchronous connection."""
        opened, self._server_async = self._server_async, None
        if opened is not None:
            # One that never opened, or whose event loop has ended, cannot be closed.
            with suppress(Exception):
                await (await opened).client.close()

    def _settings(self) -> dict[str, Any]:
        key = self._api_key.resolve_value() if self._api_key else None
        return {
            "connection_params": self._params,
            "auth_client_secret": AuthApiKey(str(key)) if key else None,
            "additional_headers": self._headers,
            "additional_config": AdditionalConfig(timeout=self._timeout),
            # The client's own checks ask a package index for newer versions of itself.
            "skip_init_checks": True,
        }

    def _explain(self, error: Exception) -> StoreError:
        return explain(self._url, error)
