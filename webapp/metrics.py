"""`/metrics`: the numbers of this instance for Prometheus, behind a token of its own.

Any web process tells the same: what is counted as requests go by is in Redis, the rest is read.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from accounts import throttling
from webapp import instance_facts

GUESSES: Final = "10/m/ip"
"""Wrong tokens from one address that are answered as such."""


@csrf_exempt
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers, in the text format or OpenMetrics, as `Accept` says; 401 for a wrong token, 429
    for one from an address that guesses. Raises Http404 where no token is set."""
    secret = settings.STORYKEEP.metrics_token
    if secret is None:
        raise Http404
    if request.method != "GET":
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    if not _holds(request, secret.get_secret_value()):
        # Looked at first: who guesses at the same address keeps nobody out who has the token.
        if throttling.is_shut_out(request, "metrics", GUESSES):
            wait = {"Retry-After": str(throttling.MINUTE_S)}
            return _plain("too many wrong tokens\n", 429, wait)
        throttling.count_wrong_guess(request, "metrics", GUESSES)
        challenge = {"WWW-Authenticate": 'Bearer realm="Storykeep metrics"'}
        return _plain("this page needs its token\n", 401, challenge)
    from webapp import exposition

    body, content_type = exposition.render(
        instance_facts.kept.facts(), request.headers.get("Accept", "")
    )
    return HttpResponse(body, content_type=content_type)


def _holds(request: HttpRequest, secret: str) -> bool:
    """Whether the request brings the token; how long that takes does not tell how much of it."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    sent = token.strip().encode("latin-1", "replace")  # a header's bytes come as Latin-1
    same = hmac.compare_digest(sent, secret.encode())
    return same and scheme.lower() == "bearer"


def _plain(text: str, status: int, headers: Mapping[str, str]) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain", headers=headers)
