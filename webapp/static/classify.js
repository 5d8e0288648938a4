// What pasted lines are, told without the network: stories/links.py and stories/targets.py in a
// browser's words. tests/browser/test_classify.py holds the two against each other, line by line.
"use strict";

(() => {
  const MAX_LINE = 20000;
  const MAX_SHARE_LINES = 6;
  const NAME = /^[A-Za-z0-9_.]{1,23}[A-Za-z0-9_]$/;
  const USER_ID = /^[1-9][0-9]{4,18}$/;
  const SEC_UID = /^MS4wLjABAAAA[A-Za-z0-9_-]{32,64}$/;
  // Whatever else stands in its part of the path, an id that nothing goes on from is plain.
  const ITEM_ID = /^([1-9][0-9]{17,18})(?![\p{L}\p{N}_])/u;
  const SHORT_CODE = /^[A-Za-z0-9_-]{3,32}$/;
  const INVISIBLE =
    /[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]/gu;
  // Full-width punctuation ends a link, which its ASCII form would not. Not in "https：／／".
  const FULL_WIDTH_END = /[，！；？）]|：(?![/／])/gu;
  const MARKS = "\\u0300-\\u036f\\u1ab0-\\u1aff\\u1dc0-\\u1dff\\u20d0-\\u20ff\\ufe20-\\ufe2f";
  const MARK = new RegExp(`^[${MARKS}]`, "u");
  const LINK_SOURCE =
    "(?:(?<![A-Za-z0-9+.\\-])[A-Za-z][A-Za-z0-9+.\\-]{0,30}:\\/\\/" +
    "|(?<![\\p{L}\\p{N}_@.\\/:%=&?#+\\-])(?=[A-Za-z0-9\\-]+(?:\\.[A-Za-z0-9\\-]+)+(?:[\\/?#@]|:[0-9])))" +
    "(?:[!#-;=?-\\[\\\\^_a-z~]|\\](?!\\())+";
  const LINK = new RegExp(LINK_SOURCE, "u");
  const LINKS = new RegExp(LINK_SOURCE, "gu");
  const WHOLE_LINK = new RegExp(`^(?:${LINK_SOURCE})$`, "u");
  const ADVERT = new RegExp(
    "^(?:(?:https?:\\/\\/)?(?:" +
      "(?:[a-z0-9-]{1,63}\\.)?tiktok\\.com\\/" +
      "(?:tiktok[-_]?lite|lite|downloads?|download[-_][a-z_-]{1,20}|get[-_]?app|app)(?![^\\/?#])" +
      "|lite\\.tiktok\\.com\\/?(?![^?#])" +
      "|(?:apps|itunes)\\.apple\\.com\\/[^?#]*tiktok" +
      "|play\\.google\\.com\\/store\\/apps\\/[^#]*(?:musically|ugc\\.trill|ugc\\.aweme|tiktok)" +
      "|[a-z0-9-]{1,63}\\.onelink\\.me(?![^\\/?#])" +
      "|app\\.adjust\\.com(?![^\\/?#])" +
      ")|(?:itms-appss?|market):\\/\\/)",
    "i",
  );
  // A link that was percent-encoded as a whole; not one inside another link's query.
  const OUTSIDE = "(?<![\\p{L}\\p{N}_@.\\/:%=&?#+\\-])";
  const ENCODED_LINK = new RegExp(
    `${OUTSIDE}(?:https?%(?:25){0,3}3A%(?:25){0,3}2F` +
      "|(?:[a-z0-9\\-]{1,63}\\.)?tiktokv?\\.com%(?:25){0,3}2F)[!-~]*",
    "giu",
  );
  // As a slip of the finger leaves them: "https:www.tiktok.com", "https:/www.tiktok.com".
  const LOST_SLASHES = new RegExp(
    `${OUTSIDE}(https?):\\/?(?=(?:[a-z0-9\\-]{1,63}\\.){0,3}tiktokv?\\.[a-z]{2,3}(?![\\p{L}\\p{N}_.]))`,
    "giu",
  );
  // As links are written in JSON and in programs.
  const ESCAPED = /\\u00(26|2f|3d|3f)/gi;
  const ESCAPED_END = /(?:\\[nrt]?)+$/;
  const DEEP_LINK =
    /^(?:snssdk[0-9]{1,6}|musically|tiktok|aweme):\/\/([^?#]*)(?:\?([^#]*))?(?:#.*)?$/i;
  const WHOLE_ID = /^[1-9][0-9]{17,18}$/;
  const NO_SCHEME = new RegExp(`${OUTSIDE}\\/\\/(?=[A-Za-z0-9])`, "gu");
  // A comma inside a link belongs to the link, unless what follows starts a new entry.
  const BESIDE_LINKS = /(?:\s|[,;、](?=\s|@|https?:\/\/|$))+/;
  const COMMAS_BESIDE_LINKS = /[,;、](?=\s|@|https?:\/\/|$)/;
  const NAME_PART = `\\p{L}\\p{N}_.\\-${MARKS}`;
  const MENTION_SOURCE =
    "(?<![\\p{L}\\p{N}_.@\\/:%=&?#+\\-])" +
    `@([${NAME_PART}]{2,80})(?![${NAME_PART}]|[\\/\\\\%]\\S)`;
  const MENTIONS = new RegExp(MENTION_SOURCE, "gu");
  const WHOLE_MENTION = new RegExp(`^@[${NAME_PART}]{2,80}$`, "u");
  const NAME_LIKE = /[A-Za-z0-9@]/;
  const LIST_MARK = /^(?:[-*+•·–—>]|\(?[0-9]{1,3}[.):]?)$/u;
  const QUOTES = new Set("\"'“”‘’«»„*~|()[]{}<>`");
  const EDGES = new Set([...QUOTES, "_"]);
  const MAX_DRESSED = 4;
  const TRAILING = new Set(".,;:!?…。、，！？：；\"'“”‘’«»„*|()[]{}<>`");
  const LINK_HOSTS = new Set([
    "tiktok.com",
    ...["", "www.", "m."].flatMap((www) => ["com", "us", "eu"].map((end) => `${www}tiktokv.${end}`)),
  ]);
  const PAGE_HOSTS = new Set([
    "tiktok.com",
    "www.tiktok.com",
    "m.tiktok.com",
    "vm.tiktok.com",
    "vt.tiktok.com",
    "lite.tiktok.com",
    "www.tiktokv.com",
  ]);
  // Subdomains on which TikTok runs something else.
  const OTHER_SERVICES = new Set(
    ("shop shop-us seller seller-us affiliate ads business live webcast lf academy api careers " +
      "creatormarketplace developer developers effecthouse newsroom partner sso studio support"
    ).split(" "),
  );
  const REGION = /^(?:www\.)?(?:m\.)?([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\.tiktok\.com$/;
  const GLUE = /[&?#;,\s"'<>()[\]{}|*!+:=%]/u;
  const HALF_ENCODED = /%(?![0-9A-Fa-f]{2})/;
  const MAX_ENCODINGS = 3;
  const PREFIX = /^(?:[a-z]{2}(?:[-_][a-z]{2,4}){0,2}|i18n|h5)$/;
  const ITEM_FORMS = new Set(["video", "photo", "story", "stories", "item", "v"]);
  const NAMELESS = new Set(["@", "@_", "@i"]);
  const SUBDOMAIN = /^(?:[a-z0-9-]+\.)+tiktok\.com$/;
  const URL_PARTS = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?$/su;
  // Why a link is refused: a name of REFUSAL_WORDS in stories/links.py; `host` is said beside it.
  const refuse = (why, host = "") => ({ kind: "refused", why, host });
  const NOT_UNDERSTOOD = { kind: "not_understood" };

  const letters = (text) =>
    text.replace(FULL_WIDTH_END, "$& ").normalize("NFKC").replace(INVISIBLE, "");

  // A percent-encoded text, also when it was encoded more than once; else the text unchanged.
  const decoded = (text) => {
    for (let round = 0; round < MAX_ENCODINGS; round += 1) {
      if (!text.includes("%") || HALF_ENCODED.test(text)) break;
      try {
        text = decodeURIComponent(text);
      } catch {
        break;
      }
    }
    return text;
  };

  const plain = (text) => {
    let line = letters(text);
    const open = line.replace(ENCODED_LINK, (link) => words(decoded(link)).join(" "));
    if (open !== line) line = letters(open);
    return line
      .replace(ESCAPED, (_, code) => String.fromCharCode(parseInt(code, 16)))
      .replace(LOST_SLASHES, "$1://")
      .replace(NO_SCHEME, "https://")
      .trim();
  };
  const words = (line) => line.split(/\s+/).filter(Boolean);

  const trimEnd = (text, set) => {
    let end = text.length;
    while (end > 0 && set.has(text[end - 1])) end -= 1;
    return text.slice(0, end);
  };

  const trim = (text, set) => {
    let start = 0;
    while (start < text.length && set.has(text[start])) start += 1;
    return trimEnd(text.slice(start), set);
  };

  const mentions = (line) =>
    Array.from(line.matchAll(MENTIONS), (found) => found[1].replace(/[.-]+$/, ""));

  const isMarked = (word) => {
    const bare = trim(word, EDGES);
    if (bare.startsWith("@") || bare.startsWith("%40")) {
      return WHOLE_MENTION.test(`@${bare.replace(/^%40/, "").replace(/^@/, "")}`);
    }
    return WHOLE_LINK.test(bare);
  };

  const isAdvert = (link) => ADVERT.test(trimEnd(link, TRAILING));
  const hasLink = (line) => Array.from(line.matchAll(LINKS)).some((link) => !isAdvert(link[0]));

  // The words of a line that is nothing but names and links; [] for any other line.
  const listed = (line) => {
    const linked = LINK.test(line);
    const found = line.split(linked ? BESIDE_LINKS : /[\s,;、]+/).filter(Boolean);
    if (found.length < 2 || found.every(isMarked)) return found;
    const commas = linked ? COMMAS_BESIDE_LINKS : /[,;、]/;
    const pieces = line.split(commas).map((piece) => piece.trim()).filter(Boolean);
    const names = pieces.every((piece) => isMarked(piece) || NAME.test(piece));
    return pieces.some(isMarked) && names ? pieces : [];
  };

  const parts = (line) => {
    const found = listed(line);
    if (found.length) return found;
    if (!LINK.test(line)) {
      const named = mentions(line);
      if (named.length) return [...new Set(named)].map((name) => `@${name}`);
    }
    return [line];
  };

  const isProse = (line) => {
    if (LINK.test(line)) return true;
    const kept = words(line).filter((word) => !LIST_MARK.test(word));
    if (kept.length === 1) {
      const word = trimEnd(trim(kept[0], EDGES), TRAILING);
      return word.startsWith("#") || word.toLowerCase() === "tiktok" || !NAME_LIKE.test(word);
    }
    return !listed(kept.join(" ")).length;
  };

  const isOneShareText = (lines) => {
    if (lines.length < 2 || lines.length > MAX_SHARE_LINES) return false;
    const linked = lines.filter(hasLink);
    const others = lines.filter((line) => !hasLink(line));
    return (
      linked.length === 1 &&
      parts(linked[0]).length === 1 &&
      others.every(isProse) &&
      new Set(others.flatMap(mentions)).size <= 1 &&
      Boolean(parseLine(lines.join(" ")).key)
    );
  };

  // The lines in each row of the box: none in a blank one, several in "@a, @b". Of a share text the
  // row with the link has all of it; `shared` says that the others are part of that.
  const findRows = (text) => {
    const rows = text
      .split("\n")
      .map((row) => row.split(/[\r\v\f\x1c-\x1e\x85\u2028\u2029]/).map(plain).filter(Boolean));
    const lines = rows.flat();
    if (!isOneShareText(lines)) return { rows: rows.map((row) => row.flatMap(parts)), shared: false };
    const whole = lines.join(" ");
    return { rows: rows.map((row) => (row.some(hasLink) ? [whole] : [])), shared: true };
  };
  const findLines = (text) => findRows(text).rows.flat();

  const user = (name) => {
    if (SEC_UID.test(name)) return { kind: "user", key: `user:${name}` };
    if (!NAME.test(name)) return null;
    return { kind: "user", key: `user:${name.toLowerCase()}` };
  };

  const item = (kind, part) => {
    const id = ITEM_ID.exec(part);
    return id ? { kind, key: `item:${id[1]}` } : NOT_UNDERSTOOD;
  };

  const cut = (part) => part.split(GLUE, 1)[0];
  const isLinkHost = (host) =>
    PAGE_HOSTS.has(host) ||
    LINK_HOSTS.has(host) ||
    (REGION.test(host) && !OTHER_SERVICES.has(REGION.exec(host)[1]));

  // The short link of a path; null for a link of another form.
  const short = (host, path) => {
    const marked = path[0] === "t";
    const codes = path.slice(marked ? 1 : 0).map(cut).filter(Boolean);
    let base = null;
    if (host === "vm.tiktok.com" || host === "vt.tiktok.com") base = `https://${host}/`;
    else if (marked) {
      base = `https://${host === "lite.tiktok.com" ? host : "www.tiktok.com"}/t/`;
    } else return null;
    if (codes.length === 1 && SHORT_CODE.test(codes[0])) {
      return { kind: "short", key: `short:${base}${codes[0]}/` };
    }
    const whole = marked ? null : findItem(split(path), false);
    return whole && whole.key ? null : whole || refuse("code");
  };

  const saysStory = (query) => {
    const asked = new Map();
    for (const pair of query.replaceAll("&amp;", "&").split("&")) {
      const cut = pair.indexOf("=");
      const key = (cut < 0 ? pair : pair.slice(0, cut)).toLowerCase();
      if (!asked.has(key)) asked.set(key, cut < 0 ? "" : pair.slice(cut + 1));
    }
    const told = asked.get("story_type");
    if (told === "0" || told === "1") return told === "1";
    return asked.get("aweme_type") === "40";
  };

  const profile = (owner) => user(owner.replace(/^@/, "")) || NOT_UNDERSTOOD;
  const split = (path) => path.flatMap((part) => part.split("/")).filter(Boolean);

  const bare = (path) => {
    let first = 0;
    while (path.length - first > 1 && PREFIX.test(path[first].toLowerCase())) first += 1;
    return path.slice(first);
  };

  // The story or post that a path names; null for a path of another form.
  const findItem = (path, isStory) => {
    let rest = bare(path);
    let owner = "@";
    if (rest.length && rest[0].startsWith("@")) {
      owner = cut(rest[0]);
      rest = rest.slice(1);
    }
    let low = rest.map((part) => part.toLowerCase());
    if (owner === "@" && low[0] === "share") low = low.slice(1);
    const told = isStory ? "story" : "post";
    if (low.length === 1 && /^(?:stories|story)$/.test(low[0]) && !NAMELESS.has(owner)) return null;
    if (ITEM_FORMS.has(low[0])) {
      return item(low[0].startsWith("stor") ? "story" : told, low[1] || "");
    }
    if (owner === "@" && (low[0] === "embed" || low[0] === "player")) {
      const last = /^v[0-9]{1,2}$/.test(low[1] || "") ? low[2] : low[1];
      return !last || last.startsWith("@") ? null : item(told, last);
    }
    return null;
  };

  const findAccount = (found) => {
    const path = bare(found);
    const low = path.map((part) => part.toLowerCase());
    if (path.length > 2 && low[0] === "share" && (low[1] === "usr" || low[1] === "user")) {
      const id = low[2].replace(/\.html$/, "");
      return USER_ID.test(id) ? { kind: "user", key: `user:${id}` } : NOT_UNDERSTOOD;
    }
    if (!path.length) return refuse("home");
    if (path.length === 2 && low[0] === "embed" && low[1].startsWith("@")) return profile(path[1]);
    if (!path[0].startsWith("@")) return refuse(`page:${low[0]}`);
    const alone = path.length === 1 || (path.length === 2 && /^(?:stories|story)$/.test(low[1]));
    return alone ? profile(path[0]) : refuse(`under:${low[1]}`);
  };

  const fromPath = (path, query) => {
    const glued = path.map((part) => part.slice(cut(part).length + 1));
    const isStory = saysStory([query, ...glued].join("&"));
    const flat = findItem(split(path), isStory);
    const found = flat && flat.key ? flat : findItem(path, isStory);
    return found || findAccount(path.map(cut).filter(Boolean));
  };

  const segmentsOf = (path) =>
    path
      .split("/")
      .map((part) => decoded(part).trim().replace(/\/+$/, ""))
      .filter(Boolean);

  // A link that opens what it names in the app.
  const fromDeepLink = (path, query) => {
    if (path.includes("\\")) return NOT_UNDERSTOOD;
    const [what, how, id] = segmentsOf(path);
    if (what === "aweme" && how === "detail" && id) {
      return item(saysStory(query) ? "story" : "post", id);
    }
    const isUser = what === "user" && how === "profile" && USER_ID.test(id || "");
    return isUser ? { kind: "user", key: `user:${id}` } : refuse("kind");
  };

  const otherSite = (host) => {
    const label = host.replace(/\.tiktok\.com$/, "");
    return label === host ? refuse("site", host) : refuse(`service:${label}`, host);
  };

  const fromLink = (link, follows) => {
    const deep = DEEP_LINK.exec(link);
    if (deep) return fromDeepLink(deep[1], deep[2] || "");
    const found = URL_PARTS.exec(link);
    if (!found) return NOT_UNDERSTOOD;
    const [, scheme = "https", authority, path, query = ""] = found;
    if (!found[1] && !path && authority.includes("@")) return NOT_UNDERSTOOD;
    if (!/^https?$/i.test(scheme)) return refuse("kind", scheme.toLowerCase().slice(0, 20));
    if (authority.includes("@")) return refuse("hidden");
    if (/^[^:]*:[0-9]*$/.test(authority)) return refuse("port");
    const letter = /^[\p{L}\p{N}]/u.test(follows);
    if (letter && !path) return refuse("site");
    const host = authority.toLowerCase();
    if (!isLinkHost(host)) return otherSite(host);
    if (path.includes("\\")) return NOT_UNDERSTOOD;
    const segments = segmentsOf(path);
    const code = short(host, segments);
    if (code) return code;
    // Scripts written without spaces may touch a link; other letters are part of what was meant.
    const goesOn = MARK.test(follows) || (letter && follows < "\u0e00");
    const endsOpen = found[4] === undefined && /[A-Za-z0-9_]$/.test(link);
    // An id has no letters: those of another script that touch it are the text that goes on.
    const otherScript = /^\p{L}/u.test(follows) && follows > "\u036f\uffff";
    const endsPlain = otherScript && WHOLE_ID.test(segments.at(-1) || "");
    if (goesOn && endsOpen && segments.length && !endsPlain) return NOT_UNDERSTOOD;
    const target = fromPath(segments, query);
    return target.key || PAGE_HOSTS.has(host) ? target : otherSite(host);
  };

  const isOurs = (link) => {
    const found = URL_PARTS.exec(link);
    return found !== null && isLinkHost(found[2].toLowerCase());
  };

  const fromProse = (line) => {
    let refusal = null;
    for (const found of line.matchAll(LINKS)) {
      const link = trimEnd(found[0], TRAILING).replace(ESCAPED_END, "");
      const after = line.slice(found.index + found[0].length);
      const verdict = fromLink(link, after);
      if (verdict.key || (isOurs(link) && !isAdvert(link))) return verdict;
      refusal = refusal || (isAdvert(link) ? refuse("advert") : verdict);
    }
    if (refusal) return refusal;
    for (const name of mentions(line)) {
      const named = user(name);
      if (named) return named;
    }
    return NOT_UNDERSTOOD;
  };

  // Without quotes and emphasis, layer by layer; "_" only where it cannot be a part of the name.
  const undressed = (line) => {
    const layers = [];
    let word = line;
    while (layers.length < MAX_DRESSED) {
      word = trimEnd(trim(word, QUOTES), TRAILING);
      layers.push(word);
      if (!word.startsWith("_")) break;
      if (word.endsWith("_")) word = word.slice(1, -1);
      else if (word[1] === "@") word = word.slice(1);
      else break;
    }
    return layers;
  };

  const parseLine = (text) => {
    if (text.length > MAX_LINE) return NOT_UNDERSTOOD;
    const line = plain(text);
    if (!line) return NOT_UNDERSTOOD;
    if (words(line).length !== 1) return fromProse(line);
    for (const candidate of [line, trimEnd(line, TRAILING), ...undressed(line)]) {
      const host = candidate.toLowerCase();
      if (PAGE_HOSTS.has(host)) return refuse("home");
      if (SUBDOMAIN.test(host)) return otherSite(host);
      const name = candidate.startsWith("%40")
        ? candidate.slice(3)
        : candidate.replace(/^@/, "");
      const named = user(name);
      if (named) return named;
    }
    return fromProse(line);
  };

  // {total, unique, twice, user, story, post, short, bad}: how many of each, doubles counted once.
  // keys: what is meant, as the server's Target.key. rows: for each row of the box its lines, as
  // {line, verdict, kind}; kind: the verdict's, or "twice", or "bad" for what is refused.
  const classify = (text) => {
    const found = findRows(text);
    const seen = new Set();
    const counts = { total: 0, twice: 0, user: 0, story: 0, post: 0, short: 0, bad: 0 };
    const keys = [];
    const read = (line) => {
      const verdict = parseLine(line);
      const mark = verdict.key || `refused:${line}`;
      const kind = seen.has(mark) ? "twice" : verdict.key ? verdict.kind : "bad";
      seen.add(mark);
      if (verdict.key && kind !== "twice") keys.push(verdict.key);
      counts.total += 1;
      counts[kind] += 1;
      return { line, verdict, kind };
    };
    const rows = found.rows.map((row) => row.map(read));
    return { ...counts, unique: keys.length, keys, rows, shared: found.shared };
  };

  window.storykeep = Object.assign(window.storykeep || {}, { classify, findLines, parseLine });
})();
