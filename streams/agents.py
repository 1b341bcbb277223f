"""The Faust agents."""

from faust import App
from faust.types import StreamT

from streams.assignment import Assignment
from streams.fetching import Batch


def add_ingest(app: App, topics: tuple[str, ...], assignment: Assignment) -> None:
    """Adds the agent that hands the batches of the source topics to their partitions."""
    source = app.topic(*topics, acks=False)

    @app.agent(source, name="ingest")
    async def ingest(batches: StreamT[Batch]) -> None:
        async for batch in batches:
            assignment.deliver(batch)
