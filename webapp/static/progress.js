// A page while things happen: fetches the fragment, of which the server leaves out what this page
// holds, and changes only what differs. And lines that show a part of their stories: their rest.
"use strict";

(() => {
  const root = document.querySelector("[data-fragment]");
  if (!root) return;
  const lost = document.getElementById("connection");
  const address = root.dataset.fragment;
  const { storykeep } = window;
  const HELD_BYTES = 6000; // of a request's header; proxies take 8 KiB of one
  const FAST_MS = 700;
  const SLOW_MS = 8000;
  const LONGEST_MS = 60000;
  const every = Number(root.dataset.every) || 0;
  const started = Date.now();
  let tag = root.dataset.etag || "";
  let opening = new Set(); // positions of lines whose rest is asked for
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
      const own =
        (name === "open" && from.nodeName === "DETAILS") || (name === "style" && from.popover);
      if (!to.hasAttribute(name) && !own) from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
  };

  // What comes while somebody looks lands softly (job.css): a line, a tile, its picture.
  const LANDS = ".line, .grid, .tile, .frame, .frame > img, .film > li";
  const added = (wanted, parent) => {
    const fresh = document.importNode(wanted, true);
    if (fresh.nodeType !== Node.ELEMENT_NODE) return fresh;
    const lands = wanted.matches(LANDS) && !parent.closest(".landing");
    if (lands) {
      fresh.classList.add("landing");
      fresh.addEventListener("animationend", () => fresh.classList.remove("landing"), { once: true });
    }
    return fresh;
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
        from.insertBefore(added(wanted, from), place);
      }
    }
    while (place) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
  };

  // Left out by the server, for this page has it as it is.
  const SAME = "[data-same]";

  const morph = (from, to) => {
    if (from.nodeType === Node.ELEMENT_NODE && to.matches(SAME)) return;
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
    if (!fresh) return "signed-out"; // a page that is not ours, with a status as if it were
    for (const same of fresh.querySelectorAll(SAME)) {
      if (!document.getElementById(same.id)) return "lacking";
    }
    const held = root.contains(document.activeElement);
    morph(root, fresh);
    if (held && !root.contains(document.activeElement)) {
      const title = document.getElementById("job-title");
      if (title) title.focus({ preventScroll: true });
    }
    count();
    document.dispatchEvent(new Event("storykeep:fresh"));
    return "ok";
  };

  // --- what this page holds ------------------------------------------------------------------

  // Of the tiles only those of lines that are about to change: the others come with their line or
  // not at all.
  const changing = (line) =>
    line.matches(".queued, .running") || opening.has(line.querySelector("[data-fold]")?.dataset.fold);
  const holds = () => {
    const lines = [...root.querySelectorAll(".line[data-tag]")];
    const tiles = lines
      .filter(changing)
      .flatMap((line) => [...line.querySelectorAll(".tile[data-tag]")]);
    const tags = [...lines, ...tiles].map((node) => node.dataset.tag).join(" ");
    // A tag that is cut in two is nobody's.
    return tags ? { "Storykeep-Holds": tags.slice(0, HELD_BYTES) } : {};
  };

  const where = () => {
    const opened = [...root.querySelectorAll(".line[data-all]")].map(({ dataset }) => dataset.all);
    const all = [...new Set([...opened, ...opening])].sort((a, b) => a - b).join(",");
    if (!all) return address;
    return `${address}${address.includes("?") ? "&" : "?"}all=${all}`;
  };

  // --- when to ask ---------------------------------------------------------------------------

  const settled = () => root.hasAttribute("data-settled");
  // Also what is settled may be on its way to the library.
  const resting = () => settled() && !root.hasAttribute("data-copying");

  const wait = () => {
    const age = Date.now() - started;
    const rhythm = age < 30000 ? FAST_MS : age < 180000 ? 2 * FAST_MS : 5 * FAST_MS;
    const slower = Math.min(SLOW_MS, Math.max(every, rhythm) * 2 ** Math.min(failures, 4));
    return Math.max(slower, Math.min(LONGEST_MS, pause_ms));
  };

  const plan = () => {
    clearTimeout(timer);
    if (!over && !resting() && !document.hidden) timer = setTimeout(ask, wait());
  };

  // What the person is told: "" hides it. The words stand in the page, one for each outcome.
  const tell = (outcome) => {
    lost.hidden = !outcome;
    if (!outcome) return;
    const [words, way] = lost.children;
    words.textContent = lost.getAttribute(`data-${outcome}`);
    way.hidden = outcome !== "signed-out";
  };

  let asked = where(); // what `tag` is about

  const ask = async (whole = false) => {
    if (busy || over) return;
    busy = true;
    request = new AbortController();
    const now = where();
    const headers = whole ? {} : holds();
    if (tag && now === asked && !whole) headers["If-None-Match"] = tag;
    const came = await storykeep.ask(now, {
      headers,
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
    if (outcome === "ok") outcome = swap(await new Blob(came.body).text());
    if (outcome === "lacking" && !whole) {
      ask(true); // something else took from the page what it said it holds
      return;
    }
    if (outcome === "ok" || outcome === "unchanged") {
      if (outcome === "ok") tag = came.answer.headers.get("ETag") || "";
      asked = now;
      failures = 0;
      pause_ms = 0;
      storykeep.letIn();
      tell("");
      answered(true);
      plan();
      return;
    }
    failures += 1;
    pause_ms = came.wait_ms;
    answered(false);
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

  // --- the rest of a line --------------------------------------------------------------------

  let waiting = []; // who is told when the next answer is here
  const answered = (well) => {
    const all = waiting;
    waiting = [];
    for (const done of all) done(well);
  };
  const answer = () => new Promise((done) => waiting.push(done));

  // Has a line show all its stories; resolves to whether it does. `fold`: its "Show all".
  const unfold = async (fold) => {
    const place = fold.dataset.fold;
    fold.setAttribute("aria-busy", "true");
    opening.add(place);
    if (busy) await answer(); // one that may not have asked for it
    if (fold.isConnected) {
      ask();
      await answer();
    }
    opening.delete(place);
    fold.removeAttribute("aria-busy");
    return !fold.isConnected;
  };

  root.addEventListener("click", async (event) => {
    const fold = event.target.closest("[data-fold]");
    if (!fold || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    if (fold.hasAttribute("aria-busy")) return;
    const line = fold.closest(".line");
    const shown = line.querySelectorAll(".tile").length;
    if (await unfold(fold)) line.querySelectorAll(".tile")[shown]?.focus({ preventScroll: true });
    else location.assign(fold.href); // as without a script: a page says best what is wrong
  });

  // And back to its row: what is not asked for any more is not shown.
  root.addEventListener("click", (event) => {
    const less = event.target.closest("[data-unfold]");
    if (!less || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const line = less.closest(".line");
    line.removeAttribute("data-all");
    line.removeAttribute("data-tag");
    const { id } = line;
    answer().then(() => document.querySelector(`#${id} [data-fold]`)?.focus());
    ask();
  });

  // A link to a story that is not shown: the server knows its line.
  const seek = async () => {
    const [, story] = location.hash.match(/^#story-([\da-f-]{36})$/) || [];
    if (!story || document.getElementById(`story-${story}`) || !root.querySelector("[data-fold]")) return;
    const came = await storykeep.ask(`${where()}${where().includes("?") ? "&" : "?"}story=${story}`, {
      headers: holds(),
      cache: "no-store",
      page: true,
    });
    if (came.outcome !== "ok" || swap(await new Blob(came.body).text()) !== "ok") return;
    plan(); // it may be older than the last poll's answer: the next one puts that right
    document.getElementById(`story-${story}`)?.scrollIntoView();
  };

  // After a sleep, a request from before it may never be answered: it makes room for another.
  const wake = () => {
    if (resting()) return;
    if (busy) request.abort();
    else ask();
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (resting()) ask(); // once: its files may be gone by another tab's act
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

  window.storykeep.unfold = unfold;
  window.storykeep.refresh = () => ask();

  count();
  seek();
  plan();
})();
