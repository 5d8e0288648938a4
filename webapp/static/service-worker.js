// Keeps the site's own files and one page for when there is no connection. Nothing personal:
// no page with a name on it, no picture, no video ever enters this cache.
"use strict";

(() => {
  const { files, offline, look, skip } = self.shell;
  const mark = [...`${look} ${files.join(" ")}`].reduce(
    (sum, letter) => (Math.imul(sum, 31) + letter.codePointAt(0)) >>> 0,
    7,
  );
  const NAME = `shell-${mark.toString(36)}`;
  const kept = new Set(files.map((file) => new URL(file, self.location.origin).href));

  const fill = async () => {
    const cache = await caches.open(NAME);
    await cache.addAll([...files, offline].map((url) => new Request(url, { cache: "no-cache" })));
    await self.skipWaiting();
  };

  const tidy = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name !== NAME).map((name) => caches.delete(name)));
    await self.clients.claim();
  };

  const page = async (request) => {
    try {
      return await fetch(request);
    } catch {
      return (await caches.match(offline)) || Response.error();
    }
  };

  self.addEventListener("install", (event) => event.waitUntil(fill()));
  self.addEventListener("activate", (event) => event.waitUntil(tidy()));
  self.addEventListener("fetch", (event) => {
    const { request } = event;
    if (request.method !== "GET") return;
    const url = new URL(request.url);
    if (kept.has(url.href)) {
      event.respondWith(caches.match(request).then((found) => found || fetch(request)));
    } else if (request.mode === "navigate" && !skip.some((part) => url.pathname.startsWith(part))) {
      event.respondWith(page(request));
    }
  });
})();
