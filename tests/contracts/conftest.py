"""The stores under contract, as fixtures: a test that asks for one runs once with each kind of store."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from streams.store import ContactStore
from tests.contracts.stores import NewStore, Owner, stores


@pytest.fixture(params=["memory", "redis", "cluster"])
async def new_store(request: pytest.FixtureRequest) -> AsyncIterator[NewStore]:
    opened: list[ContactStore] = []
    make = stores(request.param, request)

    def new() -> ContactStore:
        opened.append(make())
        return opened[-1]

    yield new
    for each in opened:
        await each.close()


@pytest.fixture
async def store(new_store: NewStore) -> ContactStore:
    store = new_store()
    await store.open(4)
    return store


@pytest.fixture
async def owner(store: ContactStore) -> Owner:
    return await Owner.of(store)


@pytest.fixture
async def admin(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client
