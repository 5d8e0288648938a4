// On every page of someone signed in: the site as an app, and what this browser is able to do.
"use strict";

(() => {
  const root = document.documentElement;
  const { worker } = document.currentScript.dataset;
  if (worker && "serviceWorker" in navigator && window.isSecureContext) {
    navigator.serviceWorker.register(worker).catch(() => {}); // private windows refuse: no harm
  }
  // Only Safari on iPhone and iPad knows this property; true means: opened from the home screen.
  if ("standalone" in navigator) root.classList.add("ios");
  if (navigator.standalone === true) root.classList.add("installed");

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
