// Keeps the site's own files and two pages for when there is no connection. Nothing personal:
// no page with a name on it, no picture, no video ever enters this cache.
"use strict";

(() => {
  const { files, offline, unsent, look, skip } = self.shell;
  const mark = [...`${look} ${files.join(" ")}`].reduce(
    (sum, letter) => (Math.imul(sum, 31) + letter.codePointAt(0)) >>> 0,
    7,
  );
  const NAME = `shell-${mark.toString(36)}`;
  const kept = new Set(files.map((file) => new URL(file, self.location.origin).href));

  const fill = async () => {
    const cache = await caches.open(NAME);
    const wanted = [...files, offline, unsent];
    await cache.addAll(wanted.map((url) => new Request(url, { cache: "no-cache" })));
    await self.skipWaiting();
  };

  const tidy = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name !== NAME).map((name) => caches.delete(name)));
    await self.clients.claim();
  };

  // A form that could not be sent has a page of its own: loading that one again would not help.
  const page = async (request) => {
    try {
      return await fetch(request);
    } catch {
      const instead = request.method === "GET" ? offline : unsent;
      return (await caches.match(instead)) || Response.error();
    }
  };

  self.addEventListener("install", (event) => event.waitUntil(fill()));
  self.addEventListener("activate", (event) => event.waitUntil(tidy()));
  self.addEventListener("fetch", (event) => {
    const { request } = event;
    const url = new URL(request.url);
    if (request.method === "GET" && kept.has(url.href)) {
      event.respondWith(caches.match(request).then((found) => found || fetch(request)));
    } else if (request.mode === "navigate" && !skip.some((part) => url.pathname.startsWith(part))) {
      event.respondWith(page(request));
    }
  });
})();
