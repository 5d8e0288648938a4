// The history: what is forgotten goes from the list at once, and comes back for some seconds with Undo.
// Only then the request is sent; and when the page is left before.
"use strict";

(() => {
  const UNDO_MS = 6000;
  const form = document.getElementById("chosen");
  if (!form) return;
  const toast = document.querySelector("[data-toast]");
  const words = toast.querySelector("span");
  const undo = toast.querySelector("button");
  const boxes = () => [...document.querySelectorAll("input[name=job]:checked")];
  const rowOf = (id) => document.getElementById(`job-${id}`);

  let pending = null;

  // A day without a row is no day.
  const show = (ids, isShown) => {
    for (const id of ids) {
      const row = rowOf(id);
      if (!row) continue;
      row.hidden = !isShown;
      row.querySelector("input[name=job]").checked = false;
      const day = row.closest(".day");
      day.hidden = !day.querySelector(".row:not([hidden])");
    }
    count();
  };

  const send = async () => {
    if (!pending) return;
    const { ids, timer } = pending;
    pending = null;
    clearTimeout(timer);
    undo.hidden = true;
    const body = new URLSearchParams({ what: "forget", sure: "1", quiet: "1" });
    body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    for (const id of ids) body.append("job", id);
    const { outcome } = await window.storykeep.ask(form.action, {
      method: "POST",
      body,
      keepalive: true,
    });
    if (outcome === "ok" || outcome === "gone") {
      if (!pending) toast.hidden = true;
      for (const id of ids) rowOf(id)?.remove();
      return;
    }
    show(ids, true);
    words.textContent = toast.dataset.failed;
    toast.hidden = false;
  };

  const forget = (ids) => {
    send();
    const first = ids[0] && rowOf(ids[0]);
    const near = first && (first.nextElementSibling || first.previousElementSibling);
    show(ids, false);
    const plural = new Intl.PluralRules(document.documentElement.lang || "en").select(ids.length);
    const said = toast.getAttribute(`data-${plural}`) || toast.dataset.other;
    undo.hidden = false;
    toast.hidden = false;
    words.textContent = said.replace("{}", ids.length);
    if (near && !near.hidden) near.querySelector(".title").focus({ preventScroll: true });
    pending = { ids, timer: setTimeout(send, UNDO_MS) };
    window.addEventListener("beforeunload", send, { once: true });
  };

  undo.addEventListener("click", () => {
    if (!pending) return;
    clearTimeout(pending.timer);
    const { ids } = pending;
    pending = null;
    toast.hidden = true;
    show(ids, true);
    rowOf(ids[0]).querySelector(".title").focus();
  });
  // While it is still there: of a page that is gone already, a service worker hears nothing more.
  // Phones have no beforeunload, and may end a page that is out of sight.
  window.addEventListener("pagehide", send);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) send();
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-forget]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    forget([link.dataset.forget]);
  });
  form.addEventListener("submit", (event) => {
    if (!event.submitter || event.submitter.value !== "forget" || !boxes().length) return;
    event.preventDefault();
    forget(boxes().map((box) => box.value));
  });

  // How many are chosen.
  const bar = document.querySelector("[data-chosen]");
  const said = bar.querySelector("[data-count]");
  const number = new Intl.NumberFormat(document.documentElement.lang || "en");
  const count = () => {
    const chosen = boxes().length;
    const plural = new Intl.PluralRules(document.documentElement.lang || "en").select(chosen);
    const text = bar.getAttribute(`data-${plural}`) || bar.dataset.other;
    said.textContent = chosen ? text.replace("{}", number.format(chosen)) : "";
  };
  document.addEventListener("change", count);
  window.addEventListener("pageshow", count);
})();
