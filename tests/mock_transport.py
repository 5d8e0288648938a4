"""httpx's mock transport, which carries media too: a handler answers, and nothing leaves."""

from contextlib import aclosing

import httpx

from stories.http.media_transport import OnHead


class MockTransport(httpx.MockTransport):
    """A transport of pages and of media that a handler answers for."""

    async def receive(self, request: httpx.Request, on_head: OnHead) -> None:
        """Carry media, as stories.http.media_transport.MediaTransport says."""
        response = await self.handle_async_request(request)
        response.request = request
        write = on_head(response)
        if write is None:
            return
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        async with aclosing(stream.__aiter__()) as body:  # type: ignore[type-var]
            async for chunk in body:
                write(chunk)
