"""What the site answers when nothing goes wrong: pages, the list, embeds, short links, files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fake_tiktok import cdn, embeds, lists, pages, scripts, walls
from tests.fake_tiktok.exchange import Request, Response, Where
from tests.fake_tiktok.items import Shapes, stats
from tests.fake_tiktok.routing import SHORT_HOSTS
from tests.fake_tiktok.sessions import Sessions
from tests.fake_tiktok.state import State

MISSING = frozenset({10221, 10202})
"""Status codes of profiles that are not there."""


class Answers:
    """Answers requests from a site's state."""

    def __init__(self, state: State, sessions: Sessions) -> None:
        self._state, self._sessions = state, sessions
        self._shapes = Shapes(state)

    def answer(self, request: Request, where: Where) -> Response:
        """The answer to any request."""
        if cdn.is_media_host(request.host):
            return self.media(request)
        answer = {
            "profile": self._profile,
            "list": self.listing,
            "page": self._page,
            "embed": self._embed,
            "embed_item": self._embed_item,
            "oembed": self._oembed,
            "short": self._short_hop,
            "play": self._play,
        }.get(where.endpoint)
        if answer is not None:
            return answer(request, where)
        if where.endpoint == "api":
            # What unsigned calls get: 200 and nothing.
            return Response(200, [("Content-Type", "application/json"), ("Bdturing-Verify", "1")])
        if where.endpoint in {"home", "login", "captcha"}:
            return pages.plain_page(request, "TikTok - Make Your Day")
        if where.endpoint == "script":
            return walls.script(request)
        return pages.plain_page(request, "Not found", 404)

    # --- pages ------------------------------------------------------------------------------

    def _profile(self, request: Request, where: Where) -> Response:
        account = self._state.find_account(where.account or "")
        token, cookies = self._sessions.session_of(request)
        detail: dict[str, Any] = {"needFix": False, "statusCode": 0, "statusMsg": ""}
        if account is None or account.profile_code in MISSING:
            code = account.profile_code if account else 10221
            message = "user banned" if code == 10221 else "user not exist"
            detail |= {"statusCode": code, "statusMsg": message}
        else:
            detail["statusCode"] = account.profile_code or (10222 if account.private else 0)
            detail["userInfo"] = {
                "itemList": [],
                "stats": stats(account, text=False),
                "statsV2": stats(account, text=True),
                "user": self._shapes.user(account),
            }
        scope = {"webapp.user-detail": detail}
        sources = self._signer(token)
        if self._state.page_asks and account is not None:
            sources = (*sources, scripts.asker(account.id))
        return pages.rehydration(
            request, scope, "Profile", self._state.page_bytes, *cookies, scripts=sources
        )

    def _signer(self, token: str) -> tuple[str, ...]:
        return (scripts.signer(scripts.signing_key(token)),) if self._state.signed_list else ()

    def _page(self, request: Request, where: Where) -> Response:
        page_bytes = self._state.page_bytes
        token, cookies = self._sessions.session_of(request)
        # The data is there on /video/ pages only.
        if "/video/" not in request.bare_path:
            return pages.rehydration(request, {}, "TikTok", page_bytes, *cookies)
        story = self._state.stories.get(where.item or "")
        detail: dict[str, Any] = {"itemInfo": {}, "statusCode": 0, "statusMsg": ""}
        if story is None or self._state.is_over(story):
            detail |= {"statusCode": 10204, "statusMsg": "item doesn't exist"}
        elif story.page_code or story.account.private:
            code = story.page_code or 10222
            message = f"code {code}" if story.page_message is None else story.page_message
            detail |= {"statusCode": code, "statusMsg": message}
        else:
            detail["itemInfo"] = {"itemStruct": self._shapes.item(story, token, page=True)}
            detail["shareMeta"] = {"desc": story.caption, "title": story.account.nickname}
        scope = {"webapp.video-detail": detail}
        return pages.rehydration(
            request, scope, "Video", page_bytes, *cookies, scripts=self._signer(token)
        )

    # --- the list ---------------------------------------------------------------------------

    def listing(self, request: Request, where: Where) -> Response:
        """A page of an account's stories, oldest first, from the cursor on."""
        parameters = request.parameters
        token, cookies = self._sessions.session_of(request)
        count = int(parameters.get("count") or 0) if parameters.get("count", "").isdigit() else 0
        if (
            parameters.get("aid") != "1988"
            or not parameters.get("authorId")
            or not 1 <= count <= 50
        ):
            return lists.answer(self._state, request, 10201, "invalid parameter", cookies)
        accounts = self._state.accounts.values()
        account = next((a for a in accounts if a.id == parameters["authorId"]), None)
        if account is None:
            return lists.answer(self._state, request, 10202, "user not exist", cookies)
        if account.private or account.secret:
            return lists.answer(self._state, request, 10222, "private account", cookies)
        if self._state.signed_list and not scripts.is_signed(request.query, token):
            return lists.unsigned(self._state, request, cookies)
        after = int(parameters.get("cursor") or 0)
        listed = sorted((s for s in account.stories if s.listed), key=lambda s: s.created)
        rest = [s for s in listed if int(s.created * 1000) > after]
        page = rest[: min(count, self._state.most_per_page)]
        cursor_as = self._state.cursor_as
        fields: dict[str, Any] = {
            "HasMoreAfter": len(page) < len(rest),
            "HasMoreBefore": False,
            "MaxCursor": cursor_as(int(page[-1].created * 1000) if page else after),
            "MinCursor": cursor_as(int(page[0].created * 1000) if page else after),
            "TotalCount": str(len(listed)),
        }
        if page:
            fields["itemList"] = [self._shapes.item(story, token) for story in page]
        return lists.answer(self._state, request, 0, "", cookies, **fields)

    # --- embeds -----------------------------------------------------------------------------

    def _embed(self, request: Request, where: Where) -> Response:
        account = self._state.accounts.get(where.account or "")
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
            "userInfo": embeds.user(self._state, account),
            "videoList": [],
        }
        key = f"{route}/" if self._state.embed_slash else route
        return pages.frontity(request, key, entry, self._state.page_bytes * 3 // 4)

    def _embed_item(self, request: Request, where: Where) -> Response:
        story = self._state.stories.get(where.item or "")
        route = f"/embed/v2/{where.item}"
        data: dict[str, Any] = {}
        if story is not None and not self._state.is_over(story) and not story.account.private:
            data = embeds.item(self._state, story)
        entry = {"isError": not data, "isReady": True, "link": route, "route": f"{route}/"}
        entry["videoData"] = data
        return pages.frontity(request, route, entry, self._state.page_bytes * 3 // 4)

    def embed_answer(self, request: Request, said: Mapping[str, Any]) -> Response:
        """An embed page that says this instead of an account or an item."""
        route = request.bare_path.rstrip("/")
        entry = {"isError": True, "userInfo": dict(said), "videoData": dict(said)}
        return pages.frontity(request, route, entry, self._state.page_bytes * 3 // 4)

    def _oembed(self, request: Request, where: Where) -> Response:
        story = self._state.stories.get(where.item or "")
        if story is None or not story.oembed or self._state.is_over(story):
            response = pages.json_answer(request, {"code": 400, "message": "Something went wrong"})
            response.status = 400
            return response
        return pages.json_answer(request, embeds.oembed(story))

    # --- links and files --------------------------------------------------------------------

    def _short_hop(self, request: Request, where: Where) -> Response:
        code = request.bare_path.removeprefix("/t/").strip("/")
        host = request.host if request.host in SHORT_HOSTS else "www.tiktok.com"
        target = self._state.short.get((host, code), "https://www.tiktok.com/?_r=1")
        return pages.redirect(target, status=301)

    def _play(self, request: Request, where: Where) -> Response:
        state = self._state
        token = request.cookies.get("tt_chain_token")
        file = state.objects.get(cdn.play_target(request, token) or "")
        if file is None or token is None:
            return pages.plain_page(request, "Forbidden", 403)
        return pages.redirect(
            cdn.video_urls(file, state.now(), state.media_life_s, token, file.item)[0]
        )

    def media(self, request: Request) -> Response:
        """A file, or the range of it that was asked for, to those the hosts serve it to."""
        file = self._state.find_file(cdn.key_in(request.bare_path))
        if file is None:
            return pages.plain_page(request, "Not found", 404)
        reason = self._refusal_reason(request)
        if reason is not None:
            refused = pages.plain_page(request, f"Forbidden: {reason}", 403)
            refused.headers.append(("X-Fake-Reason", reason))
            return refused
        return cdn.serve(file, request)

    def _refusal_reason(self, request: Request) -> str | None:
        state, agents = self._state, self._sessions.agents
        tied = "tk" in request.parameters
        token = request.cookies.get("tt_chain_token")
        if tied and not state.needs_token:
            # Nothing but the token is forgiven: whose session it was is not known any more.
            token = next(
                (t for t in agents if cdn.why_refused(request, state.now(), t) is None), token
            )
        reason = cdn.why_refused(request, state.now(), token if tied else None)
        if reason is not None or not tied:
            return reason
        referer = request.headers.get("referer", "")
        if state.needs_referer and not referer.startswith("https://www.tiktok.com/"):
            return "referer"
        if state.same_agent and agents.get(token or "") != request.user_agent:
            return "user agent"
        return None
