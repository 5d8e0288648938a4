// What pasted lines are, told without the network: stories/links.py and stories/targets.py in a
// browser's words. tests/browser/test_classify.py holds the two against each other, line by line.
"use strict";

(() => {
  const MAX_LINE = 20000;
  const MAX_SHARE_LINES = 6;
  const NAME = /^[A-Za-z0-9_.]{1,23}[A-Za-z0-9_]$/;
  const USER_ID = /^[1-9][0-9]{4,18}$/;
  const SEC_UID = /^MS4wLjABAAAA[A-Za-z0-9_-]{32,64}$/;
  const ITEM_ID = /^[1-9][0-9]{17,18}$/;
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
  const ADVERT = /^(?:https?:\/\/)?(?:www\.)?tiktok\.com\/tiktoklite(?![^/?#])/i;
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
  const PAGE_HOSTS = new Set([
    "tiktok.com",
    "www.tiktok.com",
    "m.tiktok.com",
    "vm.tiktok.com",
    "vt.tiktok.com",
    "www.tiktokv.com",
  ]);
  const SUBDOMAIN = /^(?:[a-z0-9-]+\.)+tiktok\.com$/;
  const URL_PARTS = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?$/su;
  const REFUSED = { kind: "refused" };
  const NOT_UNDERSTOOD = { kind: "not_understood" };

  const plain = (text) =>
    text.replace(FULL_WIDTH_END, "$& ").normalize("NFKC").replace(INVISIBLE, "").trim();
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

  const findLines = (text) => {
    const lines = text
      .split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/)
      .map(plain)
      .filter(Boolean);
    if (isOneShareText(lines)) return [lines.join(" ")];
    return lines.flatMap(parts);
  };

  const user = (name) => {
    if (SEC_UID.test(name)) return { kind: "user", key: `user:${name}` };
    if (!NAME.test(name)) return null;
    return { kind: "user", key: `user:${name.toLowerCase()}` };
  };

  const item = (kind, id) =>
    ITEM_ID.test(id) ? { kind, key: `item:${id}` } : NOT_UNDERSTOOD;

  const short = (base, codes) =>
    codes.length === 1 && SHORT_CODE.test(codes[0])
      ? { kind: "short", key: `short:${base}${codes[0]}/` }
      : REFUSED;

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

  const unquoted = (part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  };

  const profile = (owner) => user(owner.replace(/^@/, "")) || NOT_UNDERSTOOD;

  const fromPath = (path, isStory) => {
    const kind = isStory ? "story" : "post";
    const low = path.map((part) => part.toLowerCase());
    if (path[0].startsWith("@")) {
      if (path.length === 1) return profile(path[0]);
      if (path.length === 2 && (low[1] === "stories" || low[1] === "story")) {
        return profile(path[0]);
      }
      if (path.length > 2 && (low[1] === "video" || low[1] === "photo")) return item(kind, low[2]);
      if (path.length > 2 && low[1] === "story") return item("story", low[2]);
      return REFUSED;
    }
    if (path.length === 3 && low[0] === "share" && /^(video|photo|story)$/.test(low[1])) {
      return item(kind, low[2]);
    }
    const last = low[low.length - 1];
    if (/^(v|embed|embed\/v2|player\/v1)$/.test(low.slice(0, -1).join("/"))) {
      return last.startsWith("@")
        ? profile(path[path.length - 1])
        : item(kind, last.replace(/\.html$/, ""));
    }
    if (/^(h5\/share\/usr|share\/user)$/.test(low.slice(0, -1).join("/"))) {
      const id = last.replace(/\.html$/, "");
      return USER_ID.test(id) ? { kind: "user", key: `user:${id}` } : NOT_UNDERSTOOD;
    }
    return REFUSED;
  };

  const fromLink = (link, follows) => {
    const found = URL_PARTS.exec(link);
    if (!found) return NOT_UNDERSTOOD;
    const [, scheme = "https", authority, path, query = ""] = found;
    if (!found[1] && !path && authority.includes("@")) return NOT_UNDERSTOOD;
    if (!/^https?$/i.test(scheme)) return REFUSED;
    if (authority.includes("@") || authority.includes(":")) return REFUSED;
    const letter = /^[\p{L}\p{N}]/u.test(follows);
    if (letter && !path) return REFUSED;
    const host = authority.toLowerCase();
    if (!PAGE_HOSTS.has(host)) return REFUSED;
    if (path.includes("\\")) return NOT_UNDERSTOOD;
    const segments = path.split("/").filter(Boolean).map(unquoted);
    if (host === "vm.tiktok.com" || host === "vt.tiktok.com") {
      return short(`https://${host}/`, segments);
    }
    if (segments[0] === "t") return short("https://www.tiktok.com/t/", segments.slice(1));
    if (!segments.length) return REFUSED;
    // Scripts written without spaces may touch a link; other letters are part of what was meant.
    const goesOn = MARK.test(follows) || (letter && follows < "\u0e00");
    if (goesOn && found[4] === undefined && /[A-Za-z0-9_]$/.test(link)) return NOT_UNDERSTOOD;
    return fromPath(segments, saysStory(query));
  };

  const isOurs = (link) => {
    const found = URL_PARTS.exec(link);
    return found !== null && PAGE_HOSTS.has(found[2].toLowerCase());
  };

  const fromProse = (line) => {
    let refusal = null;
    for (const found of line.matchAll(LINKS)) {
      const link = trimEnd(found[0], TRAILING);
      const after = line.slice(found.index + found[0].length);
      const verdict = fromLink(link, after);
      if (verdict.key || (isOurs(link) && !isAdvert(link))) return verdict;
      refusal = refusal || verdict;
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
      if (PAGE_HOSTS.has(host) || SUBDOMAIN.test(host)) return REFUSED;
      const name = candidate.startsWith("%40")
        ? candidate.slice(3)
        : candidate.replace(/^@/, "");
      const named = user(name);
      if (named) return named;
    }
    return fromProse(line);
  };

  // {total, unique, twice, user, story, post, short, bad}: how many of each, doubles counted once.
  // keys: what is meant, as the server's Target.key.
  const classify = (text) => {
    const lines = findLines(text);
    const seen = new Set();
    const refused = new Set();
    const counts = { total: lines.length, twice: 0, user: 0, story: 0, post: 0, short: 0, bad: 0 };
    for (const line of lines) {
      const verdict = parseLine(line);
      if (!verdict.key) {
        if (refused.has(line)) counts.twice += 1;
        else counts.bad += 1;
        refused.add(line);
      } else if (seen.has(verdict.key)) counts.twice += 1;
      else {
        seen.add(verdict.key);
        counts[verdict.kind] += 1;
      }
    }
    counts.unique = seen.size;
    counts.keys = [...seen];
    return counts;
  };

  window.storykeep = Object.assign(window.storykeep || {}, { findLines, parseLine, classify });
})();
