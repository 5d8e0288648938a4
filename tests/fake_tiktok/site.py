"""The fake itself: accounts, stories, short links, sessions, and the answer to every request.

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
import random
import string
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from tests.fake_tiktok import cdn, pages
from tests.fake_tiktok.accounts import HOURS, Account, FakeStory
from tests.fake_tiktok.cdn import MediaObject
from tests.fake_tiktok.exchange import (
    MEDIA,
    Fault,
    Faults,
    Request,
    Response,
    Seen,
    Where,
    match_of,
    sliced,
)
from tests.fake_tiktok.items import Shapes, stats

if TYPE_CHECKING:
    import httpx

SUFFIXES = (".tiktok.com", ".tiktokcdn.com", ".tiktokcdn-us.com", ".tiktokcdn-eu.com")
PAGE_HOSTS = frozenset({"www.tiktok.com", "tiktok.com", "m.tiktok.com"})
SHORT_HOSTS = frozenset({"vm.tiktok.com", "vt.tiktok.com"})


class FakeTikTok:
    """See the module. All of it is in memory, and safe to ask from several threads.

    now: the site's clock, Unix seconds. needs_referer, needs_token, same_agent: what video hosts
    insist on. page_bytes: how large pages are. most_per_page: the list never gives more at once.
    """

    def __init__(
        self, *, now: Callable[[], float] = time.time, page_bytes: int = 390_000, seed: int = 1
    ) -> None:
        self._clock = now
        self._moved_s = 0.0
        self._lock = threading.RLock()
        self._rng = random.Random(seed)
        self._serial = 0
        self._puzzles: dict[str, pages.Puzzle] = {}
        self._short: dict[tuple[str, str], str] = {}
        self._agents: dict[str, str] = {}  # tt_chain_token -> User-Agent of its page request
        self.accounts: dict[str, Account] = {}
        self.stories: dict[str, FakeStory] = {}
        self.objects: dict[str, MediaObject] = {}
        self.faults = Faults()
        self.requests: list[Seen] = []
        self.strays: list[str] = []
        self.shapes = Shapes(self)
        self.page_bytes = page_bytes
        self.most_per_page = 50
        self.media_life_s = 48 * HOURS
        self.song_life_s = 6 * HOURS
        self.needs_referer = True
        self.needs_token = True
        self.same_agent = True
        self.cursor_as: type[int] | type[str] = int
        self.embed_slash = False

    # --- what tests say ---------------------------------------------------------------------

    def now(self) -> float:
        return self._clock() + self._moved_s

    def advance(self, seconds: float) -> None:
        """Move the site's clock: addresses and stories run out, nothing waits."""
        self._moved_s += seconds

    def account(self, name: str, *, nickname: str | None = None, **facts: Any) -> Account:
        """A new account; facts: fields of Account (private=True, profile_code=10221 …)."""
        number = int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)
        made = Account(
            site=self,
            name=name,
            id=facts.pop("id", str(6_800_000_000_000_000_000 + number)),
            nickname=nickname if nickname is not None else name.replace(".", " ").title(),
            **facts,
        )
        self.accounts[name.lower()] = made
        return made

    def short_link(
        self,
        code: str,
        to: FakeStory | Account | str | None,
        *,
        host: str = "vm.tiktok.com",
        hops: int = 1,
    ) -> str:
        """A short link; None leads home, as dead codes do. Returns its URL.

        host: "vm.tiktok.com", "vt.tiktok.com" or "www.tiktok.com" (for `/t/<code>`).
        """
        if isinstance(to, FakeStory):
            target = to.shared_url
        elif isinstance(to, Account):
            target = f"{to.url}?_r=1&_t=ZN-90abc&sec_uid={to.sec_uid}"
        else:
            target = to or "https://www.tiktok.com/?_r=1"
        for hop in range(hops - 1):
            step = f"{code}h{hop}"
            self._short["www.tiktok.com", step] = target
            target = f"https://www.tiktok.com/t/{step}/"
        self._short[host, code] = target
        middle = "t/" if host == "www.tiktok.com" else ""
        return f"https://{host}/{middle}{code}/"

    def fault(
        self, what: object, kind: str | int, *, times: int | None = None, **options: Any
    ) -> Fault:
        """From now on, matching requests fail in this way; `times` times, or always.

        what: an endpoint ("profile", "list", "page", "embed", "embed_item", "short", "play",
        "video", "picture", "song", "cover", or the groups "media", "pages", "any"), part of a URL
        ("v16-"), an Account, a FakeStory (its files), a Rendition or MediaObject, or a mapping of
        {endpoint, account, item, position, gear, host, method, ranged, text}.
        kind: a status number, or a name in exchange.FAULTS. The returned Fault counts its hits.
        """
        if isinstance(kind, int) or kind.isdigit():
            options["status"], kind = int(kind), "status"
        return self.faults.add(Fault(kind, match_of(what), times, options))

    def count(self, endpoint: str | None = None, **where: Any) -> int:
        """How many requests were answered; filters as in `fault`."""
        return len(self.seen(endpoint, **where))

    def seen(self, endpoint: str | None = None, **where: Any) -> list[Seen]:
        """The requests so far, in order."""
        match = {**({"endpoint": endpoint} if endpoint else {}), **where}
        if isinstance(match.get("account"), Account):
            match["account"] = match["account"].name
        if isinstance(match.get("item"), FakeStory):
            match["item"] = match["item"].id
        probe = Fault("status", match)
        with self._lock:
            log = list(self.requests)
        return [
            one
            for one in log
            if probe.matches(Request(one.method, one.host, one.path, one.headers), one.where)
        ]

    def forget_requests(self) -> None:
        """Empty the log, faults stay."""
        with self._lock:
            self.requests.clear()
            self.strays.clear()

    def new_id(self, created: float) -> str:
        """A snowflake: its high 32 bits are the second of creation."""
        with self._lock:
            self._serial += 1
            low = (self._serial * 0x9E3779B1 + 0x6A09E667) & 0xFFFFFFFF
        return str((int(created) << 32) | low)

    def knows(self, host: str) -> bool:
        """Whether a host is one of TikTok's; anything else asked for is a stray."""
        return host == "tiktok.com" or host.endswith(SUFFIXES)

    def stray(self, host: str) -> None:
        with self._lock:
            self.strays.append(host)

    def transport(self) -> httpx.MockTransport:
        """For `httpx.Client` and `httpx.AsyncClient`; nothing in it waits."""
        from tests.fake_tiktok.mock import mock_transport

        return mock_transport(self)

    def media_list(self, user_agent: str = "curl") -> dict[str, Any]:
        """Every file a saver would fetch, with addresses and headers that work in curl."""
        token = self._new_token(user_agent)
        found = []
        for account in list(self.accounts.values()):
            for story in account.stories:
                for thing in story.files:
                    if thing.kind == "video":
                        url = cdn.video_urls(thing, self.now(), self.media_life_s, token, story.id)[
                            0
                        ]
                    else:
                        url = cdn.picture_urls(thing, self.now(), self.media_life_s)[0]
                    found.append(
                        {
                            "url": url,
                            "size": thing.size,
                            "sha256": hashlib.sha256(thing.body).hexdigest(),
                            "account": account.name,
                            "item": story.id,
                            "position": thing.position,
                        }
                    )
        return {
            "headers": {
                "User-Agent": user_agent,
                "Referer": "https://www.tiktok.com/",
                "Cookie": f"tt_chain_token={token}",
            },
            "files": found,
        }

    # --- one request ------------------------------------------------------------------------

    def handle(self, method: str, host: str, path: str, headers: Mapping[str, str]) -> Response:
        """Answer one request; path: with the query. Strays are the caller's to refuse."""
        lower = {name.lower(): value for name, value in headers.items()}
        request = Request(method, host.lower().partition(":")[0], path, lower)
        with self._lock:
            where = self._where(request)
            fault = self.faults.find(request, where)
            response = self._faulty(fault, request, where) if fault else None
            acted = response is not None
            if response is None:
                response = self._answer(request, where)
            if acted and fault is not None:
                self.faults.hit(fault)
            self.requests.append(
                Seen(
                    method,
                    request.host,
                    path,
                    lower,
                    where,
                    0 if response.silent else response.status,
                    fault.kind if fault and acted else None,
                )
            )
        return response

    def _where(self, request: Request) -> Where:
        host, steps = request.host, [step for step in request.bare_path.split("/") if step]
        if cdn.is_media_host(host):
            thing = self.objects.get(cdn.key_in(request.bare_path))
            return thing.where if thing else Where("other")
        if host in SHORT_HOSTS or (steps[:1] == ["t"] and host in PAGE_HOSTS):
            return Where("short")
        if host not in PAGE_HOSTS:
            return Where("other")
        return self._page_where(steps, request)

    def _page_where(self, steps: list[str], request: Request) -> Where:
        first = unquote(steps[0]) if steps else ""
        if not steps:
            return Where("home")
        if first == "login":
            return Where("login")
        if steps[:2] == ["aweme", "v1"]:
            story = self.stories.get(request.parameters.get("item_id", ""))
            return Where("play", story.account.name if story else None, story.id if story else None)
        if steps[:3] == ["api", "story", "item_list"]:
            return Where("list", self._name_of(request.parameters.get("authorId", "")))
        if first == "api":
            return Where("api")
        if first == "embed" and len(steps) > 1:
            last = unquote(steps[-1])
            if last.startswith("@"):
                return Where("embed", last[1:].lower())
            return Where("embed_item", self._owner_of(last), last)
        if first.startswith("@"):
            if len(steps) == 1:
                return Where("profile", self._name_of(first[1:]))
            if len(steps) == 3 and steps[1] in {"video", "photo", "story"}:
                return Where("page", self._owner_of(steps[2]), steps[2])
        return Where("other")

    def _name_of(self, said: str) -> str:
        """The account's name for a name, an id or a secUid."""
        account = self._find(said)
        return account.name if account else said.lower()

    def _find(self, said: str) -> Account | None:
        if said.lower() in self.accounts:
            return self.accounts[said.lower()]
        return next((a for a in self.accounts.values() if said in {a.id, a.sec_uid}), None)

    def _owner_of(self, item: str) -> str | None:
        story = self.stories.get(item)
        return story.account.name if story else None

    # --- sessions ---------------------------------------------------------------------------

    def _new_token(self, user_agent: str) -> str:
        letters = string.ascii_letters + string.digits
        token = "".join(self._rng.choice(letters) for _ in range(22)) + "=="
        self._agents[token] = user_agent
        return token

    def _session(self, request: Request) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The session's tt_chain_token, and the cookies to set when it is new."""
        token = request.cookies.get("tt_chain_token", "").strip('"')
        if token in self._agents:
            self._agents[token] = request.user_agent
            return token, ()
        token = self._new_token(request.user_agent)
        scope = "; Path=/; Domain=.tiktok.com; Max-Age=15552000; HttpOnly; Secure"
        made = [
            ("ttwid", f"1%7C{token[:12]}%7C{int(self.now())}%7Cabcdef"),
            ("tt_csrf_token", f"{token[:8]}-{token[8:16]}"),
            ("tt_chain_token", token),
        ]
        return token, tuple(("Set-Cookie", f"{name}={value}{scope}") for name, value in made)

    # --- answers ----------------------------------------------------------------------------

    def _answer(self, request: Request, where: Where) -> Response:
        if cdn.is_media_host(request.host):
            return self._media(request)
        answer = {
            "profile": self._profile,
            "list": self._list,
            "page": self._page,
            "embed": self._embed,
            "embed_item": self._embed_item,
            "short": self._short_hop,
            "play": self._play,
        }.get(where.endpoint)
        if answer is not None:
            return answer(request, where)
        if where.endpoint == "api":
            # What unsigned calls get: 200 and nothing.
            return Response(200, [("Content-Type", "application/json"), ("Bdturing-Verify", "1")])
        if where.endpoint in {"home", "login"}:
            return pages.plain_page(request, "TikTok - Make Your Day")
        return pages.plain_page(request, "Not found", 404)

    def _profile(self, request: Request, where: Where) -> Response:
        account = self._find(where.account or "")
        _, cookies = self._session(request)
        detail: dict[str, Any] = {"needFix": False, "statusCode": 0, "statusMsg": ""}
        if account is None or account.profile_code in {10221, 10202}:
            code = account.profile_code if account else 10221
            said = "user banned" if code == 10221 else "user not exist"
            detail |= {"statusCode": code, "statusMsg": said}
        else:
            detail["statusCode"] = account.profile_code or (10222 if account.private else 0)
            detail["userInfo"] = {
                "itemList": [],
                "stats": stats(account, text=False),
                "statsV2": stats(account, text=True),
                "user": self.shapes.user(account),
            }
        scope = {"webapp.user-detail": detail}
        return pages.rehydration(request, scope, "Profile", self.page_bytes, *cookies)

    def _list(self, request: Request, where: Where) -> Response:
        asked = request.parameters
        token, cookies = self._session(request)
        count = int(asked.get("count") or 0) if asked.get("count", "").isdigit() else 0
        if asked.get("aid") != "1988" or not asked.get("authorId") or not 1 <= count <= 50:
            return self._list_answer(request, 10201, "invalid parameter", cookies)
        account = next((a for a in self.accounts.values() if a.id == asked["authorId"]), None)
        if account is None:
            return self._list_answer(request, 10202, "user not exist", cookies)
        if account.private or account.secret:
            return self._list_answer(request, 10222, "private account", cookies)
        after = int(asked.get("cursor") or 0)
        every = sorted((s for s in account.stories if s.listed), key=lambda s: s.created)
        rest = [s for s in every if int(s.created * 1000) > after]
        given = rest[: min(count, self.most_per_page)]
        more: dict[str, Any] = {
            "HasMoreAfter": len(given) < len(rest),
            "HasMoreBefore": False,
            "MaxCursor": self.cursor_as(int(given[-1].created * 1000) if given else after),
            "MinCursor": self.cursor_as(int(given[0].created * 1000) if given else after),
            "TotalCount": str(len(every)),
        }
        if given:
            more["itemList"] = [self.shapes.item(story, token) for story in given]
        return self._list_answer(request, 0, "", cookies, **more)

    def _list_answer(
        self, request: Request, code: int, said: str, cookies: Any, **more: Any
    ) -> Response:
        logid = f"20261120{self._serial:010d}N2M2313060356N6F"
        return pages.json_answer(
            request,
            {
                **more,
                "extra": {
                    "fatal_item_ids": [],
                    "logid": logid,
                    "now": int(self.now() * 1000),
                },
                "log_pb": {"impr_id": logid},
                "statusCode": code,
                "status_code": code,
                "status_msg": said,
            },
            *cookies,
        )

    def _page(self, request: Request, where: Where) -> Response:
        token, cookies = self._session(request)
        # The data is there on /video/ pages only.
        if "/video/" not in request.bare_path:
            return pages.rehydration(request, {}, "TikTok", self.page_bytes, *cookies)
        story = self.stories.get(where.item or "")
        detail: dict[str, Any] = {"itemInfo": {}, "statusCode": 0, "statusMsg": ""}
        if story is None or (story.is_story and story.expires <= self.now()):
            detail |= {"statusCode": 10204, "statusMsg": "item doesn't exist"}
        elif story.page_code or story.account.private:
            code = story.page_code or 10222
            detail |= {"statusCode": code, "statusMsg": f"code {code}"}
        else:
            detail["itemInfo"] = {"itemStruct": self.shapes.item(story, token, page=True)}
            detail["shareMeta"] = {"desc": story.caption, "title": story.account.nickname}
        scope = {"webapp.video-detail": detail}
        return pages.rehydration(request, scope, "Video", self.page_bytes, *cookies)

    def _embed(self, request: Request, where: Where) -> Response:
        account = self.accounts.get(where.account or "")
        user: dict[str, Any] = {}
        if account is None or account.profile_code in {10221, 10202}:
            user = {"code": 10202, "customErrorCode": 10202}
        elif account.embeddable and not account.private:
            user = {
                "avatarThumbUrl": "",
                "code": 200,
                "customErrorCode": 0,
                "followerCount": 122222,
                "followingCount": 122,
                "heartCount": 1222222,
                "id": account.id,
                "nickname": account.nickname,
                "privateAccount": False,
                "signature": "Sample bio",
                "uniqueId": account.name,
                "verified": account.verified,
            }
        name = account.name if account else where.account
        route = f"/embed/@{name}"
        entry = {
            "isError": False,
            "isFetching": False,
            "isReady": True,
            "link": route,
            "page": 1,
            "pageName": "creator",
            "playlistId": name,
            "playlistType": "creator",
            "query": {},
            "route": f"{route}/",
            "userInfo": user,
            "videoList": [],
        }
        key = f"{route}/" if self.embed_slash else route
        return pages.frontity(request, key, entry, self.page_bytes * 3 // 4)

    def _embed_item(self, request: Request, where: Where) -> Response:
        story = self.stories.get(where.item or "")
        route = f"/embed/v2/{where.item}"
        data: dict[str, Any] = {}
        gone = story is None or (story.is_story and story.expires <= self.now())
        if story is not None and not gone and not story.account.private:
            data = self.shapes.embed_data(story)
        entry = {"isError": not data, "isReady": True, "link": route, "route": f"{route}/"}
        entry["videoData"] = data
        return pages.frontity(request, route, entry, self.page_bytes * 3 // 4)

    def _short_hop(self, request: Request, where: Where) -> Response:
        code = request.bare_path.removeprefix("/t/").strip("/")
        host = request.host if request.host in SHORT_HOSTS else "www.tiktok.com"
        target = self._short.get((host, code), "https://www.tiktok.com/?_r=1")
        return pages.redirect(target, status=301)

    def _play(self, request: Request, where: Where) -> Response:
        token = request.cookies.get("tt_chain_token")
        thing = self.objects.get(cdn.play_target(request, token) or "")
        if thing is None or token is None:
            return pages.plain_page(request, "Forbidden", 403)
        urls = cdn.video_urls(thing, self.now(), self.media_life_s, token, thing.item)
        return pages.redirect(urls[0])

    def _media(self, request: Request) -> Response:
        thing = self.objects.get(cdn.key_in(request.bare_path))
        if thing is None:
            return pages.plain_page(request, "Not found", 404)
        why = self._media_refusal(request)
        if why is not None:
            refused = pages.plain_page(request, f"Forbidden: {why}", 403)
            refused.headers.append(("X-Fake-Reason", why))
            return refused
        return cdn.serve(thing, request)

    def _media_refusal(self, request: Request) -> str | None:
        tied = "tk" in request.parameters
        token = request.cookies.get("tt_chain_token")
        if tied and not self.needs_token:
            # Nothing but the token is forgiven: whose session it was is not known any more.
            token = next(
                (t for t in self._agents if cdn.why_refused(request, self.now(), t) is None), token
            )
        why = cdn.why_refused(request, self.now(), token if tied else None)
        if why is not None or not tied:
            return why
        if self.needs_referer and not request.headers.get("referer", "").startswith(
            "https://www.tiktok.com/"
        ):
            return "referer"
        if self.same_agent and self._agents.get(token or "") != request.user_agent:
            return "user agent"
        return None

    # --- faults -----------------------------------------------------------------------------

    def _faulty(self, fault: Fault, request: Request, where: Where) -> Response | None:
        """The answer with the fault in it; None when the fault does not apply after all."""
        if fault.kind in {"challenge", "challenge_again", "unsolvable"}:
            return self._challenge(fault, request, where)
        early = self._refusal(fault, request, where)
        if early is not None:
            return early
        response = self._answer(request, where)
        if where.endpoint in MEDIA:
            return self._media_fault(fault, request, response)
        if where.endpoint == "list" and fault.kind in {"withheld", "stuck", "repeat"}:
            return self._list_fault(fault, request, where, response)
        return _slowed(fault, response)

    def _challenge(self, fault: Fault, request: Request, where: Where) -> Response | None:
        pending = self._puzzles.get(where.account or request.bare_path)
        if fault.kind == "challenge" and pending is not None and pending.accepts(request.cookies):
            del self._puzzles[where.account or request.bare_path]
            self.faults.hit(fault)
            return None
        options = fault.options
        made = pages.puzzle(
            self._rng,
            self.now(),
            options.get("reach", 3000),
            options.get("second", ""),
            fault.kind != "unsolvable",
        )
        self._puzzles[where.account or request.bare_path] = made
        response = pages.html(request, made.page())
        if fault.kind == "challenge":
            fault.hits -= 1  # `handle` counts it; only a right answer does here
        return response

    def _refusal(self, fault: Fault, request: Request, where: Where) -> Response | None:
        kind, options = fault.kind, fault.options
        if kind in {"status", "expired"}:
            more = [(str(n), str(v)) for n, v in options.get("headers", {}).items()]
            if "retry_after" in options:
                more.append(("Retry-After", str(options["retry_after"])))
            response = pages.plain_page(request, "Refused", options.get("status", 403))
            response.headers += more
            return response
        if kind == "silent":
            return Response(silent=True)
        if kind == "empty":
            kind = "application/json" if where.endpoint == "list" else "text/html"
            headers = [("Content-Type", kind), ("Bdturing-Verify", '{"code":"10000"}')]
            return Response(200, headers if where.endpoint not in MEDIA else [])
        if kind == "html":
            return pages.plain_page(request, "Access denied, please verify")
        if kind in {"redirect", "login"}:
            login = f"https://www.tiktok.com/login?redirect_url={quote(request.url)}"
            return pages.redirect(options["to"] if kind == "redirect" else login)
        if kind == "system_error":
            response = pages.plain_page(request, "Access Denied", 403)
            response.headers.append(("X-TT-System-Error", "3"))
            return response
        if kind == "captcha":
            said = {"code": "10000", "from": "", "type": "verify", "verify_event": "x"}
            return pages.json_answer(request, said)
        if kind == "huge":
            return pages.huge(request, options.get("size", 64 * 2**20))
        if kind == "deep":
            return pages.deep(request, options.get("depth", 100_000))
        return self._changed(fault, request, where)

    def _changed(self, fault: Fault, request: Request, where: Where) -> Response | None:
        if fault.kind == "changed":
            if where.endpoint == "list":
                return pages.json_answer(request, {"data": {"stories": []}, "ok": True})
            return pages.without_data(request, self.page_bytes)
        if fault.kind == "code":
            code = fault.options["code"]
            if where.endpoint == "list":
                return self._list_answer(request, code, f"code {code}", ())
            name = "webapp.user-detail" if where.endpoint == "profile" else "webapp.video-detail"
            scope = {name: {"statusCode": code, "statusMsg": f"code {code}"}}
            return pages.rehydration(request, scope, "TikTok", self.page_bytes)
        return None

    def _list_fault(
        self, fault: Fault, request: Request, where: Where, response: Response
    ) -> Response:
        bare = Request(
            request.method,
            request.host,
            request.path,
            {n: v for n, v in request.headers.items() if n != "accept-encoding"},
        )
        said = self._list(bare, where).json()
        if fault.kind == "withheld":
            said.pop("itemList", None)
            said["TotalCount"] = str(fault.options.get("total", 3))
        elif fault.kind == "stuck":
            said |= {"HasMoreAfter": True, "MaxCursor": int(request.parameters.get("cursor") or 0)}
        else:
            first = Request(bare.method, bare.host, _with_cursor_0(bare.path), bare.headers)
            again = self._list(first, where).json()
            cursor = int(request.parameters.get("cursor") or 0)
            said = {**again, "HasMoreAfter": True, "MaxCursor": max(cursor, 1) * 2}
        cookies = [pair for pair in response.headers if pair[0] == "Set-Cookie"]
        return pages.json_answer(request, said, *cookies)

    def _media_fault(self, fault: Fault, request: Request, response: Response) -> Response:
        kind, options = fault.kind, fault.options
        if response.status not in {200, 206}:
            return response
        length = response.length
        if kind == "truncated":
            response.parts = sliced(response.parts, 0, options.get("after", length // 2))
        elif kind == "hole":
            start = options.get("after", length // 2)
            size = min(options.get("length", 65536), max(length - start, 0))
            response.parts = [
                *sliced(response.parts, 0, start),
                memoryview(bytes(size)),
                *sliced(response.parts, start + size, length),
            ]
        elif kind == "no_ranges":
            bare = {n: v for n, v in request.headers.items() if n not in {"range", "if-range"}}
            response = self._media(Request(request.method, request.host, request.path, bare))
            response.headers = [p for p in response.headers if p[0] != "Accept-Ranges"]
        elif kind == "etag_changes":
            self._serial += 1
            bare = {n: v for n, v in request.headers.items() if n != "if-range"}
            if "if-range" in request.headers:
                bare.pop("range", None)  # never the same, so all of it
            response = self._media(Request(request.method, request.host, request.path, bare))
            response.headers = [p for p in response.headers if p[0] != "ETag"]
            response.headers.append(("ETag", f'"changed-{self._serial}"'))
        elif kind == "wrong_range" and response.status == 206:
            response.headers = [p for p in response.headers if p[0] != "Content-Range"]
            response.headers.append(("Content-Range", f"bytes 7-{6 + length}/{length * 9}"))
        elif kind == "mislabelled":
            response.headers = [p for p in response.headers if p[0] != "Content-Type"]
            response.headers.append(("Content-Type", "application/octet-stream"))
        return _slowed(fault, response)


def _slowed(fault: Fault, response: Response) -> Response:
    if fault.kind == "drop":
        response.cut_after = fault.options.get("after", response.length // 2)
    elif fault.kind == "stall":
        response.hang_after = fault.options.get("after", response.length // 2)
    elif fault.kind == "slow":
        response.bytes_per_s = fault.options.get("bytes_per_s", 65536)
    return response


def _with_cursor_0(path: str) -> str:
    bare, _, query = path.partition("?")
    kept = [pair for pair in query.split("&") if not pair.startswith("cursor=")]
    return f"{bare}?{'&'.join([*kept, 'cursor=0'])}"
