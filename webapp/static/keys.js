// Keys: j and k go through what can be opened, x selects, d downloads, Space opens, / leads to the box,
// the search or the filters, ? shows all of them. Never while somebody types, nor over an open dialog.
// Whoever dictates switches them off, in the list of them: a word is many keys.
"use strict";

(() => {
  const help = document.getElementById("keys");
  const TYPING = "input:not([type=checkbox]), textarea, select, [contenteditable]";
  // A row stands for its line while its tiles are folded; or, in a list of jobs, for a job.
  const STOPS = ".row-line, .tile, .row[id]";
  const OPENS = "a[data-view], .row a.title";
  const PICKS = ".pick, input[name=job]";

  const OFF = "storykeep:keys-off";
  let off = false;
  try {
    off = localStorage.getItem(OFF) === "1";
  } catch {} // a browser that keeps nothing: they are on

  const GOES_ON = new Set(["j", "k"]);

  const shown = (node) => node.checkVisibility?.() ?? true;
  const stops = () =>
    [...document.querySelectorAll(STOPS)].filter((node) => shown(node) && !node.querySelector(".tile"));
  const here = () => {
    const at = document.activeElement?.closest?.(STOPS);
    return at || document.querySelector(".at-key");
  };
  // What has the focus of a stop: its picture, else whatever is there first.
  const door = (stop) =>
    stop.querySelector(`${OPENS}, video`) || stop.querySelector("a, button:not([hidden]), input") || stop;

  const go = (by) => {
    const all = stops();
    if (!all.length) return;
    const place = all.indexOf(here());
    const next = all[place < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, place + by))];
    document.querySelector(".at-key")?.classList.remove("at-key");
    next.classList.add("at-key");
    const target = door(next);
    if (target === next && !next.hasAttribute("tabindex")) next.tabIndex = -1;
    target.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };

  const search = () => {
    const field = document.querySelector("#id_text, #id_q");
    const filter = document.querySelector("#job-chips a");
    (field || filter)?.focus();
    return Boolean(field || filter);
  };

  const open = () => {
    if (!help || help.open) return false;
    help.showModal();
    return true;
  };

  const DO = {
    j: () => (go(1), stops().length > 0),
    k: () => (go(-1), stops().length > 0),
    x: () => {
      const box = here()?.querySelector(PICKS);
      box?.click();
      return Boolean(box);
    },
    d: () => {
      const link = here()?.querySelector(".take") || document.querySelector("#zip");
      link?.click();
      return Boolean(link);
    },
    "/": search,
    "?": open,
    " ": () => {
      // Space on a link scrolls; here it opens what Enter opens.
      const link = document.activeElement?.closest?.(OPENS);
      link?.click();
      return Boolean(link);
    },
  };

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    if (event.target.closest?.(TYPING) || document.querySelector("dialog[open]")) return;
    if (document.querySelector(".pop:popover-open")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (off && key !== " ") return; // Space on a link is a button's, not a letter's
    if (event.repeat && !GOES_ON.has(key)) return; // held down, d would download once more each moment
    if (DO[key]?.()) event.preventDefault();
  });

  const choice = help?.querySelector("[data-keys-on]");
  if (choice) choice.checked = !off;
  choice?.addEventListener("change", () => {
    off = !choice.checked;
    try {
      if (off) localStorage.setItem(OFF, "1");
      else localStorage.removeItem(OFF);
    } catch {} // until the page is left
  });

  for (const button of document.querySelectorAll("[data-keys]")) button.hidden = !help;
  document.addEventListener("storykeep:fresh", () => {
    for (const button of document.querySelectorAll("[data-keys]")) button.hidden = !help;
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-keys]")) open();
  });
})();
