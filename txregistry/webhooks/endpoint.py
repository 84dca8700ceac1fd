"""Endpoint: somebody who is to be told, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping

from attrs import frozen

from txregistry.interfaces import ITracer
from txregistry.webhooks.documents import Envelope, make_document
from txregistry.webhooks.filters import EventFilter
from txregistry.webhooks.ledger import Waiting
from txregistry.webhooks.posting import Answer, Poster, PostFailed
from txregistry.webhooks.retrying import Backoff
from txregistry.webhooks.signing import Signer, message_id


@frozen
class Endpoint:
    """Somebody who is to be told.

    Attributes:
        name: What it is called, in the ledger too.
        filter: Which events it gets.
        poster: Posts to it.
        backoff: When it is tried again.
        envelope: What events look like.
        batch: How many events go into one message at the most.
        signer: Signs messages; None: they are not signed.
        tracer: Traces messages; None: they are not traced.
    """

    name: str
    filter: EventFilter
    poster: Poster
    backoff: Backoff
    envelope: Envelope = "v2"
    batch: int = 1
    signer: Signer | None = None
    tracer: ITracer | None = None

    async def send(self, events: list[Waiting], now: float) -> Answer:
        """Send events in one message.

        Args:
            events: One or more.
            now: The time, in seconds since the epoch.

        Raises:
            PostFailed: There was no answer.
        """
        document = make_document(self.envelope, [event.body for event in events])
        headers = {"Content-Type": document.content_type, **document.headers}
        if self.signer is not None:
            name = message_id([event.id for event in events])
            headers |= self.signer.headers(name, now, document.body)
        if self.tracer is None:
            return await self.poster.post(document.body, headers)
        return await self._trace(self.tracer, events, document.body, headers)

    async def _trace(
        self,
        tracer: ITracer,
        events: list[Waiting],
        body: bytes,
        headers: Mapping[str, str],
    ) -> Answer:
        causes = [json.loads(event.trace) for event in events if event.trace]
        span = tracer.post(self.name, self.poster.address, len(events), causes)
        status, problem = None, "given up"
        try:
            answer = await self.poster.post(body, {**headers, **span.headers()})
            status, problem = answer.status, answer.problem
        except PostFailed as error:
            problem = str(error)
            raise
        finally:
            span.end(status, problem)
        return answer
