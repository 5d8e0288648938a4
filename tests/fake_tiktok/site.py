"""The fake itself: accounts, stories and short links are declared here, and requests answered.

tiktok = FakeTikTok()
alice = tiktok.account("sample.user")
clip = alice.video(seconds=3)
alice.photo(); alice.carousel(4); alice.expired()
tiktok.short_link("ZM123", to=clip)
tiktok.fault(clip, "drop", after=50_000, times=1)
client = httpx.AsyncClient(transport=tiktok.transport())
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.fake_tiktok import cdn, routing
from tests.fake_tiktok.accounts import Account, FakeStory
from tests.fake_tiktok.answers import Answers
from tests.fake_tiktok.exchange import Fault, Faults, Request, Response, Seen, Subject, match_of
from tests.fake_tiktok.failing import Failing
from tests.fake_tiktok.mock import mock_transport
from tests.fake_tiktok.sessions import Sessions
from tests.fake_tiktok.state import State
from tests.mock_transport import MockTransport


class FakeTikTok(State):
    """A fake site: its state, its answers, its faults, and a log of what it was asked.

    Safe to ask from several threads. now: its clock, Unix seconds. page_bytes: how large pages are.
    requests: the log. strays: hosts asked for that are not TikTok's.
    """

    def __init__(
        self, *, now: Callable[[], float] = time.time, page_bytes: int = 390_000, seed: int = 1
    ) -> None:
        super().__init__(now=now, page_bytes=page_bytes, seed=seed)
        self.faults = Faults()
        self.requests: list[Seen] = []
        self.strays: list[str] = []
        self._sessions = Sessions(self)
        self._answers = Answers(self, self._sessions)
        self._failing = Failing(self, self._answers, self.faults)

    # --- declared by tests ------------------------------------------------------------------

    def account(self, name: str, *, nickname: str | None = None, **facts: Any) -> Account:
        """A new account; facts: fields of Account (private=True, profile_code=10221 …)."""
        number = int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)
        account = Account(
            site=self,
            name=name,
            id=facts.pop("id", str(6_800_000_000_000_000_000 + number)),
            nickname=nickname if nickname is not None else name.replace(".", " ").title(),
            **facts,
        )
        self.accounts[name.lower()] = account
        return account

    def short_link(
        self,
        code: str,
        to: FakeStory | Account | str | None,
        *,
        host: str = "vm.tiktok.com",
        hops: int = 1,
    ) -> str:
        """A short link; None leads home, as dead codes do. Returns its URL.

        host: "vm.tiktok.com", "vt.tiktok.com", or for `/t/<code>` "www.tiktok.com" or
        "lite.tiktok.com".
        """
        if isinstance(to, FakeStory):
            target = to.shared_url
        elif isinstance(to, Account):
            target = f"{to.url}?_r=1&_t=ZN-90abc&sec_uid={to.sec_uid}"
        else:
            target = to or "https://www.tiktok.com/?_r=1"
        for hop in range(hops - 1):
            step = f"{code}h{hop}"
            self.short["www.tiktok.com", step] = target
            target = f"https://www.tiktok.com/t/{step}/"
        self.short[host, code] = target
        middle = "t/" if host in {"www.tiktok.com", "lite.tiktok.com"} else ""
        return f"https://{host}/{middle}{code}/"

    def fault(
        self, what: Subject, kind: str | int, *, times: int | None = None, **options: Any
    ) -> Fault:
        """From now on, matching requests fail in this way; `times` times, or always.

        what: an endpoint ("profile", "list", "page", "embed", "embed_item", "short", "play",
        "video", "picture", "song", "cover", or the groups "media", "pages", "any"), part of a URL
        ("v16-"), an Account, a FakeStory (its files), a Rendition or MediaObject, or a mapping of
        {endpoint, account, item, position, gear, host, method, ranged, text, agent (part of the
        User-Agent), hints (part of sec-ch-ua), referer (whether there is one), headless (whether it
        gives itself away as such), browser (whether it says it is one)}.
        kind: a status number, or a name in exchange.FAULTS. The returned Fault counts its hits.
        """
        if isinstance(kind, int) or kind.isdigit():
            options["status"], kind = int(kind), "status"
        return self.faults.add(Fault(kind, match_of(what), times, options))

    # --- the log ----------------------------------------------------------------------------

    def count(self, endpoint: str | None = None, **where: Any) -> int:
        """How many requests were answered; filters as in `fault`."""
        return len(self.seen(endpoint, **where))

    def seen(self, endpoint: str | None = None, **where: Any) -> list[Seen]:
        """The requests so far, in order; filters as in `fault`."""
        match = {**({"endpoint": endpoint} if endpoint else {}), **where}
        if isinstance(match.get("account"), Account):
            match["account"] = match["account"].name
        if isinstance(match.get("item"), FakeStory):
            match["item"] = match["item"].id
        probe = Fault("status", match)
        with self.lock:
            log = list(self.requests)
        return [
            seen
            for seen in log
            if probe.matches(Request(seen.method, seen.host, seen.path, seen.headers), seen.where)
        ]

    def forget_requests(self) -> None:
        """Empty the log, faults stay."""
        with self.lock:
            self.requests.clear()
            self.strays.clear()

    def media_list(self, user_agent: str = "curl") -> dict[str, Any]:
        """Every file a saver would fetch, with addresses and headers that work in curl."""
        token = self._sessions.new_token(user_agent)
        now, life_s = self.now(), self.media_life_s
        files = []
        for account in list(self.accounts.values()):
            for story in account.stories:
                for file in story.files:
                    if file.kind == "video":
                        urls = cdn.video_urls(file, now, life_s, token, story.id)
                    else:
                        urls = cdn.picture_urls(file, now, life_s)
                    files.append(
                        {
                            "url": urls[0],
                            "size": file.size,
                            "sha256": hashlib.sha256(file.body).hexdigest(),
                            "account": account.name,
                            "item": story.id,
                            "position": file.position,
                        }
                    )
        headers = {
            "User-Agent": user_agent,
            "Referer": "https://www.tiktok.com/",
            "Cookie": f"tt_chain_token={token}",
        }
        return {"headers": headers, "files": files}

    # --- requests ---------------------------------------------------------------------------

    def knows(self, host: str) -> bool:
        """Whether a host is one of TikTok's; any other one that is asked for is a stray."""
        return routing.is_tiktok(host)

    def stray(self, host: str) -> None:
        """Note that a host was asked for that is not TikTok's."""
        with self.lock:
            self.strays.append(host)

    def transport(self) -> MockTransport:
        """For `httpx.Client` and `httpx.AsyncClient`; nothing in it waits."""
        return mock_transport(self)

    def handle(self, method: str, host: str, path: str, headers: Mapping[str, str]) -> Response:
        """Answer one request; path: with the query. Strays are the caller's to refuse."""
        lower = {name.lower(): value for name, value in headers.items()}
        request = Request(method, host.lower().partition(":")[0], path, lower)
        with self.lock:
            where = routing.where_of(self, request)
            fault = self.faults.find(request, where)
            failed = self._failing.answer(fault, request, where) if fault else None
            if fault and failed:
                self.faults.hit(fault)
            response = failed or self._answers.answer(request, where)
            self.requests.append(
                Seen(
                    method,
                    request.host,
                    path,
                    lower,
                    where,
                    0 if response.silent else response.status,
                    fault.kind if fault and failed else None,
                )
            )
        return response
