"""The parts of an instance that the integration tests have: Redis, and a fake TikTok."""

from tests.integration.conftest import _server, proxy, redis_server, tiktok

__all__ = ["_server", "proxy", "redis_server", "tiktok"]
