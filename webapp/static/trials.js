// A test of how one is told: asked about until it was sent or given up. Only what that changes is
// replaced, so nobody loses what they are typing.
"use strict";

(() => {
  const EVERY_MS = 2000;
  const TIMES = 60; // a worker that is away may come back much later; a reload says it then
  let timer = 0;
  let times = 0;
  const isBusy = (from) => from.querySelector("[data-live] [data-busy]") !== null;

  const look = async () => {
    times += 1;
    if (!document.hidden) {
      const { outcome, body } = await storykeep.ask(location.pathname, { page: true });
      if (outcome === "signed-out" || outcome === "gone") return;
      if (outcome === "ok" && body) {
        const fresh = new DOMParser().parseFromString(await new Blob(body).text(), "text/html");
        for (const part of document.querySelectorAll("[data-live]")) {
          const next = fresh.getElementById(part.id);
          // The element stays, so that a screen reader says what is new in it.
          if (next) part.replaceChildren(...document.importNode(next, true).childNodes);
        }
        document.dispatchEvent(new Event("storykeep:fresh"));
        if (!isBusy(document)) return;
      }
    }
    if (times < TIMES) timer = setTimeout(look, EVERY_MS);
  };

  if (isBusy(document)) timer = setTimeout(look, EVERY_MS);
  window.addEventListener("pagehide", () => clearTimeout(timer));
})();
