// The history: what is forgotten goes from the list at once, and comes back for some seconds with Undo.
// Only then the request is sent; and when the page is left before. A job's own page goes to the
// history, which forgets it in that way. What is in the library is asked about first, and has no Undo.
"use strict";

(() => {
  const UNDO_MS = 6000;
  // The job whose page was left, told to the next page of this tab. Not in the address: a link to it
  // could come from anywhere, and would be there again when the page is loaded again.
  const LEFT = "storykeep-forget";
  const LEFT_MS = 60000; // what did not get there by then is not forgotten later by surprise
  const { user } = document.querySelector("script[data-user]").dataset;
  const isPlain = (event) =>
    !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey && !event.button;

  const leave = (event) => {
    const link = event.target.closest("a[data-forget-at]");
    if (!link || !isPlain(event)) return;
    const { forgetAt, job } = link.dataset;
    try {
      sessionStorage.setItem(LEFT, JSON.stringify({ user, job, back: location.href, at: Date.now() }));
    } catch {
      return; // the link leads to a page that asks
    }
    event.preventDefault();
    location.replace(forgetAt); // nobody comes back to the page of a job that is gone
  };
  document.addEventListener("click", leave);

  const arrive = () => {
    try {
      const left = JSON.parse(sessionStorage.getItem(LEFT));
      sessionStorage.removeItem(LEFT);
      return left && left.user === user && Date.now() - left.at < LEFT_MS ? left : null;
    } catch {
      return null; // no storage, so nothing was left
    }
  };
  const left = arrive();

  // What was sent as the last page was left may not have arrived when this one was made.
  const SENT = "storykeep-forgotten";
  const SENT_MS = 10000;
  const rememberSent = (ids) => {
    try {
      if (ids) sessionStorage.setItem(SENT, JSON.stringify({ ids, at: Date.now() }));
      else sessionStorage.removeItem(SENT);
    } catch {
      // then it is seen once more
    }
  };
  const sent = () => {
    try {
      const { ids, at } = JSON.parse(sessionStorage.getItem(SENT));
      return Date.now() - at < SENT_MS ? ids : [];
    } catch {
      return []; // no storage, or nothing was sent from here
    }
  };

  const form = document.getElementById("chosen");
  if (!form) return;
  const toast = document.querySelector("[data-toast]");
  const words = toast.querySelector("span");
  const undo = toast.querySelector("button");
  const boxes = () => [...document.querySelectorAll("input[name=job]:checked")];
  const rowOf = (id) => document.getElementById(`job-${id}`);

  let pending = null;
  let isLeaving = false; // what is on its way then fails for this page alone
  window.addEventListener("beforeunload", () => {
    isLeaving = true;
  });

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
    rememberSent(ids);
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
    if (!isLeaving) rememberSent(null);
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
    const row = rowOf(ids[0]);
    if (row) row.querySelector(".title").focus();
    else location.assign(left.back); // further down than this page: back to where it was asked for
  });
  // While it is still there: of a page that is gone already, a service worker hears nothing more.
  // Phones have no beforeunload, and may end a page that is out of sight.
  window.addEventListener("pagehide", send);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) send();
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-forget]");
    if (!link || !isPlain(event)) return;
    event.preventDefault();
    forget([link.dataset.forget]);
  });
  form.addEventListener("submit", (event) => {
    if (!event.submitter || event.submitter.value !== "forget" || !boxes().length) return;
    if (boxes().some((box) => "asks" in box.dataset)) return; // of the library's copies a page asks
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

  show(sent(), false);
  if (left) {
    forget([left.job]);
    // Only what comes after the page is read aloud.
    setTimeout(() => words.replaceChildren(...words.childNodes), 200);
  }
})();
