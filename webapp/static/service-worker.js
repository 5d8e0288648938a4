// Keeps the site's own files and two pages for when there is no connection. Nothing personal:
// no page with a name on it, no picture, no video ever enters this cache.
"use strict";

(() => {
  const { files, offline, unsent, look, skip } = self.shell;
  const mark = [...`${look} ${files.join(" ")}`].reduce(
    (sum, letter) => (Math.imul(sum, 31) + letter.codePointAt(0)) >>> 0,
    7,
  );
  // Other apps may live at this origin, under paths of their own, with caches of their own.
  const OURS = `storykeep ${self.registration.scope} `;
  const NAME = `${OURS}${mark.toString(36)}`;
  const kept = new Set(files.map((file) => new URL(file, self.location.origin).href));
  const PATIENCE_MS = 30000;

  // What a sign-in in front of us answers must not be kept in the place of a file or page of ours.
  const get = async (url) => {
    const answer = await fetch(url, {
      cache: "no-cache",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const isPage = (answer.headers.get("Content-Type") || "").startsWith("text/html");
    const isOurs = files.includes(url) ? !isPage : answer.headers.get("X-Storykeep-Page") === "offline";
    if (!answer.ok || !isOurs) throw new Error(url);
    return answer;
  };

  const fill = async () => {
    const wanted = [...files, offline, unsent];
    const answers = await Promise.all(wanted.map(get));
    const cache = await caches.open(NAME);
    await Promise.all(wanted.map((url, place) => cache.put(url, answers[place])));
    await self.skipWaiting();
  };

  // Caches of earlier versions, which had a name that did not say whose they were.
  const isOld = async (name) => {
    if (name === NAME) return false;
    if (name.startsWith(OURS)) return true;
    return name.startsWith("shell-") && Boolean(await (await caches.open(name)).match(offline));
  };

  const tidy = async () => {
    const names = await caches.keys();
    await Promise.all(names.map(async (name) => (await isOld(name)) && caches.delete(name)));
    await self.clients.claim();
  };

  const own = async (request) => (await caches.open(NAME)).match(request);

  // A page that does not come is given up in the end. Not a form: it may have arrived. The request
  // goes out as it is, for with a signal it would no longer look like a page's.
  const patient = (request) => {
    if (request.method !== "GET") return fetch(request);
    const late = new Promise((_, reject) => setTimeout(reject, PATIENCE_MS, new Error("late")));
    return Promise.race([fetch(request), late]);
  };

  // A form that could not be sent has a page of its own: loading that one again would not help.
  const page = async (request) => {
    try {
      return await patient(request);
    } catch {
      const instead = request.method === "GET" ? offline : unsent;
      return (await own(instead)) || Response.error();
    }
  };

  self.addEventListener("install", (event) => event.waitUntil(fill()));
  self.addEventListener("activate", (event) => event.waitUntil(tidy()));
  self.addEventListener("fetch", (event) => {
    const { request } = event;
    const url = new URL(request.url);
    if (request.method === "GET" && kept.has(url.href)) {
      event.respondWith(own(request).then((found) => found || fetch(request)));
    } else if (request.mode === "navigate" && !skip.some((part) => url.pathname.startsWith(part))) {
      event.respondWith(page(request));
    }
  });
})();
