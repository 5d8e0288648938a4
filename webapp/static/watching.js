// The page of watched accounts: what a look is waited for is asked about until it has ended. Only
// what a look changes is replaced, so nobody loses what they are typing.
"use strict";

(() => {
  const EVERY_MS = 3000;
  const LATER_MS = 20000;
  const page = document.querySelector("[data-watching]");
  if (!page) return;
  let timer = 0;

  // Times in the page are in the reader's zone and tick, those that come do not yet: when they are
  // is what tells.
  const bare = (node) => {
    const copy = node.cloneNode(true);
    for (const time of copy.querySelectorAll("time")) time.replaceWith(time.dateTime);
    // Another one each time.
    for (const token of copy.querySelectorAll("[name=csrfmiddlewaretoken]")) token.remove();
    return copy.innerHTML;
  };

  // False where a watch is gone: it was stopped elsewhere, or is one that was there before.
  const show = (fresh) => {
    for (const part of page.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (!next) return false;
      if (bare(next) === bare(part)) continue;
      const row = part.closest(".watch");
      const freshRow = next.closest(".watch");
      if (row) row.className = freshRow.className;
      const words = part.querySelector(".words");
      const focused = part.contains(document.activeElement) ? document.activeElement : null;
      const place = focused && (focused.value || focused.getAttribute("href"));
      const came = document.importNode(next, true);
      // The element that is listened to stays, so that a screen reader says what is new in it.
      const spoken = came.querySelector(".words");
      if (words && spoken) {
        words.replaceChildren(...spoken.childNodes);
        spoken.replaceWith(words);
      }
      part.replaceChildren(...came.childNodes);
      // Nothing is to be set, or was, of a watch that has ended.
      if (row && !freshRow.querySelector(".options")) {
        for (const stale of row.querySelectorAll(".options, .said")) {
          const left = stale.contains(document.activeElement);
          stale.remove();
          if (left) part.querySelector("button, a")?.focus();
        }
      }
      if (place) {
        const again = [...part.querySelectorAll("button, a")].find(
          (node) => (node.value || node.getAttribute("href")) === place,
        );
        if (again) again.focus();
      }
    }
    document.dispatchEvent(new Event("storykeep:fresh"));
    return true;
  };

  const look = async () => {
    if (document.hidden) {
      timer = setTimeout(look, EVERY_MS);
      return;
    }
    const { outcome, body } = await window.storykeep.ask(location.pathname, { page: true });
    if (outcome === "signed-out" || outcome === "gone") return;
    let busy = true;
    if (outcome === "ok" && body) {
      const fresh = new DOMParser().parseFromString(await new Blob(body).text(), "text/html");
      if (!show(fresh)) {
        location.reload();
        return;
      }
      busy = Boolean(fresh.querySelector("[data-busy]"));
    }
    if (busy) timer = setTimeout(look, outcome === "ok" ? EVERY_MS : LATER_MS);
  };

  if (page.hasAttribute("data-busy")) timer = setTimeout(look, EVERY_MS);
  window.addEventListener("pagehide", () => clearTimeout(timer));
})();
