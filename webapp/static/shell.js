// On every page of someone signed in: the site as an app, and what this browser is able to do. On
// the pages before and after: what must not outlast them.
"use strict";

(() => {
  const root = document.documentElement;
  const { worker, user, door, posted } = document.currentScript.dataset;
  if (worker && "serviceWorker" in navigator && window.isSecureContext) {
    navigator.serviceWorker.register(worker).catch(() => {}); // private windows refuse: no harm
  }
  // Only Safari on iPhone and iPad knows this property; true means: opened from the home screen.
  if ("standalone" in navigator) root.classList.add("ios");
  if (navigator.standalone === true) root.classList.add("installed");

  // What paste.js kept while it was being sent: it goes once there is a job, when someone else is
  // here, and with the person who signs out. Whose session merely ended (`next`) comes back to it.
  const UNSENT = "storykeep-unsent";
  const left = door !== undefined && !new URLSearchParams(location.search).has("next");
  try {
    const kept = JSON.parse(sessionStorage.getItem(UNSENT));
    const foreign = user && kept && kept.user !== user;
    if (left || foreign || document.getElementById("job")) sessionStorage.removeItem(UNSENT);
  } catch {
    // no storage, so nothing was kept
  }

  // The answer to a form is not kept: coming back to it asks for the page, and sends nothing again.
  if (posted !== undefined) history.replaceState(history.state, "", location.href);

  const back = document.querySelector("[data-go-back]");
  if (back && history.length > 1) {
    back.addEventListener("click", (event) => {
      event.preventDefault();
      history.back();
    });
  }

  // What was just done is said on top of the page, but only what comes later is read aloud.
  const said = document.querySelector(".messages");
  if (said) setTimeout(() => said.replaceChildren(...said.children), 200);

  // Plain http on a home network has no clipboard, share or install: said once, then never again.
  const note = document.querySelector("[data-insecure]");
  if (!note || window.isSecureContext) return;
  const KEY = "storykeep-told-insecure";
  try {
    if (localStorage.getItem(KEY)) return;
    note.hidden = false;
    note.querySelector("button").addEventListener("click", () => {
      localStorage.setItem(KEY, "1");
      note.hidden = true;
    });
  } catch {
    note.hidden = true; // no storage, so it could only be said every time
  }
})();
