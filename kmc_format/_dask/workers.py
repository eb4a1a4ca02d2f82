"""The one way to reach a Dask cluster: a client that is given, an address, or the active client."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._extras import needed


@contextmanager
def reached(client: Any) -> Iterator[Any]:
    """Give the client that is meant, or None where there is none.

    Parameters
    ----------
    client : distributed.Client or str or None
        A client; the address of a scheduler, ``"tcp://..."``, to which a client is opened, and closed at the
        end; or None, for the active client.

    Raises
    ------
    ImportError
        If distributed is not installed.
    TypeError, ValueError
        If it is something else, or a client that is asynchronous.
    OSError
        If no scheduler answers at the address.
    """
    if isinstance(client, str):
        with needed("distributed", "dask").Client(client, set_as_default=False) as own:
            yield own
    else:
        yield checked(client)


def checked(client: Any) -> Any:
    """Return a client that can be used, or an address as it is; the active client for None, or None."""
    if client is None:
        client = active()
    if client is None or isinstance(client, str):
        return client
    if not isinstance(client, needed("distributed", "dask").Client):
        raise TypeError(f"client must be a distributed.Client or the address of a scheduler, not {client!r}")
    if client.asynchronous:
        raise ValueError("client must not be asynchronous")
    return client


def active() -> Any:
    """Return the client that Dask would compute on now, or None; without importing Dask for that."""
    if "distributed" not in sys.modules:
        return None
    # A client makes itself the scheduler of the moment, and is the object whose method that is.
    client = getattr(needed("dask.base", "dask").get_scheduler(), "__self__", None)
    return client if isinstance(client, needed("distributed", "dask").Client) else None


def cores(client: Any) -> int:
    """Return how many cores the workers of a client have now."""
    return sum(client.nthreads().values())
