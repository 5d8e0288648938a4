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

  // A push message, which browsers that know declarative ones show by themselves. One that cannot be
  // read is shown as well: a browser takes the right away from who receives and shows nothing.
  const told = (data) => {
    try {
      return data.json().notification || {};
    } catch {
      return {};
    }
  };
  const tell = async (data) => {
    const { title, body, lang, tag, navigate } = told(data);
    await self.registration.showNotification(title || "Storykeep", {
      body: body || "",
      lang: lang || "",
      tag: tag || "",
      icon: self.shell.icon,
      data: { navigate: navigate || self.registration.scope },
    });
  };

  // Only to a page of ours, whatever it names.
  const target = (named) => {
    const scope = self.registration.scope;
    try {
      const url = new URL(named, scope);
      return url.href.startsWith(scope) ? url.href : scope;
    } catch {
      return scope;
    }
  };
  const open = async (named) => {
    const url = target(named);
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const there = pages.find((page) => page.url.split("#")[0] === url);
    if (there) return there.focus();
    return self.clients.openWindow(url);
  };

  // A push service may give a subscription up. Who it was is known by the address it had.
  const renew = async (old, made) => {
    if (!old) return;
    const fresh = made || (await self.registration.pushManager.subscribe(old.options));
    await fetch(self.shell.renew, {
      method: "POST",
      redirect: "error",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...fresh.toJSON(), old: old.endpoint }),
    });
  };

  self.addEventListener("pushsubscriptionchange", (event) => {
    event.waitUntil(renew(event.oldSubscription, event.newSubscription));
  });
  self.addEventListener("push", (event) => event.waitUntil(tell(event.data)));
  self.addEventListener("notificationclick", (event) => {
    event.notification.close();
    event.waitUntil(open(event.notification.data?.navigate));
  });
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
