// A page while things happen: fetches the fragment and changes only what differs.
"use strict";

(() => {
  const root = document.querySelector("[data-fragment]");
  if (!root) return;
  const lost = document.getElementById("connection");
  const address = root.dataset.fragment;
  const { storykeep } = window;
  const FAST_MS = 700;
  const SLOW_MS = 8000;
  const LONGEST_MS = 60000;
  const every = Number(root.dataset.every) || 0;
  const started = Date.now();
  let tag = root.dataset.etag || "";
  let timer = 0;
  let busy = false;
  let request = new AbortController();
  let failures = 0;
  let pause_ms = 0; // what a busy server asked for
  let over = false;

  // --- changing only what differs ------------------------------------------------------------

  // A ticking clock's text is the script's own: leave it while it shows the same moment.
  const isKept = (from, to) =>
    from.nodeName === "TIME" &&
    from.dateTime === to.dateTime &&
    from.hasAttribute("data-clock") === to.hasAttribute("data-clock") &&
    from.getAttribute("data-ahead") === to.getAttribute("data-ahead");

  const alike = (from, to) =>
    from.nodeName === to.nodeName && (from.id || "") === (to.id || "");

  const attributes = (from, to) => {
    for (const { name } of [...from.attributes]) {
      const own = name === "open" && from.nodeName === "DETAILS";
      if (!to.hasAttribute(name) && !own) from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
  };

  const children = (from, to) => {
    const byId = new Map();
    for (const child of from.children) if (child.id) byId.set(child.id, child);
    let place = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      const known = wanted.id ? byId.get(wanted.id) : null;
      if (known && known.nodeName === wanted.nodeName) {
        // Step over what stands before it and has gone, so that it need not move itself.
        while (place && place !== known && !(place.id && to.querySelector(`#${CSS.escape(place.id)}`))) {
          const gone = place;
          place = place.nextSibling;
          gone.remove();
        }
        if (place === known) place = place.nextSibling;
        else from.insertBefore(known, place);
        morph(known, wanted);
      } else if (place && !place.id && !wanted.id && alike(place, wanted)) {
        const next = place.nextSibling;
        morph(place, wanted);
        place = next;
      } else {
        from.insertBefore(document.importNode(wanted, true), place);
      }
    }
    while (place) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
  };

  const morph = (from, to) => {
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    if (isKept(from, to) || from.isEqualNode(to)) return;
    attributes(from, to);
    children(from, to);
  };

  const swap = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById(root.id);
    if (!fresh) return false;
    const held = root.contains(document.activeElement);
    morph(root, fresh);
    if (held && !root.contains(document.activeElement)) {
      const title = document.getElementById("job-title");
      if (title) title.focus({ preventScroll: true });
    }
    count();
    document.dispatchEvent(new Event("storykeep:fresh"));
    return true;
  };

  // --- when to ask ---------------------------------------------------------------------------

  const settled = () => root.hasAttribute("data-settled");

  const wait = () => {
    const age = Date.now() - started;
    const rhythm = age < 30000 ? FAST_MS : age < 180000 ? 2 * FAST_MS : 5 * FAST_MS;
    const slower = Math.min(SLOW_MS, Math.max(every, rhythm) * 2 ** Math.min(failures, 4));
    return Math.max(slower, Math.min(LONGEST_MS, pause_ms));
  };

  const plan = () => {
    clearTimeout(timer);
    if (!over && !settled() && !document.hidden) timer = setTimeout(ask, wait());
  };

  // What the person is told: "" hides it. The words stand in the page, one for each outcome.
  const tell = (outcome) => {
    lost.hidden = !outcome;
    if (!outcome) return;
    const [words, way] = lost.children;
    words.textContent = lost.getAttribute(`data-${outcome}`);
    way.hidden = outcome !== "signed-out";
  };

  const ask = async () => {
    if (busy || over) return;
    busy = true;
    request = new AbortController();
    const came = await storykeep.ask(address, {
      headers: tag ? { "If-None-Match": tag } : {},
      cache: "no-store",
      signal: request.signal,
      page: true,
    });
    busy = false;
    if (request.signal.aborted) {
      ask(); // this page woke up
      return;
    }
    let { outcome } = came;
    // A page that is not ours, with a status as if it were.
    if (outcome === "ok" && !swap(await new Blob(came.body).text())) outcome = "signed-out";
    if (outcome === "ok" || outcome === "unchanged") {
      if (outcome === "ok") tag = came.answer.headers.get("ETag") || "";
      failures = 0;
      pause_ms = 0;
      storykeep.letIn();
      tell("");
      plan();
      return;
    }
    failures += 1;
    pause_ms = came.wait_ms;
    // Forgotten in another tab, or signed out: the server says it best, in a page of its own. Not
    // under somebody's eyes: a film or a sheet that is open goes on.
    // And a refusal by its status may be of this request alone: a page that came just now waits.
    const closed = outcome === "signed-out" || outcome === "gone";
    const early = [401, 403].includes(came.answer?.status) && Date.now() - started < SLOW_MS;
    if (closed && !early && !document.querySelector("dialog[open]") && storykeep.lead()) {
      over = true;
      return;
    }
    if (outcome === "gone") outcome = "trouble";
    if (outcome === "signed-out" || failures > 1) tell(outcome);
    plan();
  };

  // After a sleep, a request from before it may never be answered: it makes room for another.
  const wake = () => {
    if (settled()) return;
    if (busy) request.abort();
    else ask();
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else wake();
  });
  window.addEventListener("online", wake);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) wake();
  });
  // A clock ran out: the sweep may take a moment to act on it.
  document.addEventListener("storykeep:over", () => setTimeout(ask, 1500));

  // --- the selection -------------------------------------------------------------------------

  const bar = document.getElementById("selection-words");
  const count = () => {
    const chosen = root.querySelectorAll(".pick:checked").length;
    if (bar && bar.dataset.many) bar.textContent = bar.dataset.many.replace("{}", chosen);
  };
  root.addEventListener("change", count);
  for (const clear of document.querySelectorAll("[data-clear]")) clear.hidden = false;
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-clear]")) return;
    for (const box of root.querySelectorAll(".pick:checked")) box.checked = false;
    count();
  });

  count();
  plan();
})();
