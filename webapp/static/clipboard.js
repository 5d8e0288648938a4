// Paste, in one tap: reads the clipboard, and starts by itself what leaves no doubt.
"use strict";

(() => {
  const UNDO_MS = 3000;

  // A word could be anything, a password too, and so could one with an @ somewhere inside, or a
  // sentence: they are put into the box, and sent by hand. Links leave no doubt, nor do @names alone.
  const LINK = /:\/\/|tiktokv?\.[a-z]/i;
  const NAME = /^@[\w.-]+$/;
  const isPlain = (row) =>
    LINK.test(row) || row.split(/[\s,;]+/).every((word) => !word || NAME.test(word));

  const clipboard = (form, { box, put, read, canStart }) => {
    const button = form.querySelector("[data-paste]");
    const starting = form.querySelector("[data-starting]");
    const words = starting.querySelector("span");
    const send = form.querySelector("[data-submit]");
    // Only a secure page may read the clipboard; elsewhere the long-press menu does it.
    if (!window.isSecureContext || !navigator.clipboard || !navigator.clipboard.readText) return;
    button.hidden = false;

    let timer = 0;
    const stop = () => {
      if (!timer) return;
      clearTimeout(timer);
      timer = 0;
      starting.hidden = true;
      words.textContent = "";
    };
    const start = () => {
      starting.hidden = false;
      words.textContent = starting.dataset.words;
      timer = setTimeout(() => {
        stop();
        form.requestSubmit(send);
      }, UNDO_MS);
    };
    starting.querySelector("button").addEventListener("click", () => {
      stop();
      box.value = "";
      put("");
      box.focus();
    });
    // Whoever goes on with the page, or leaves it, decides for themselves.
    for (const act of ["input", "submit"]) form.addEventListener(act, stop);
    document.addEventListener("drop", stop);
    window.addEventListener("pagehide", stop);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") stop();
    });

    let latest = 0;
    button.addEventListener("click", async () => {
      stop();
      // An answer may never come, or after the person has pasted by hand: then it is not wanted.
      const mine = ++latest;
      const shown = box.value;
      let text = "";
      try {
        text = await navigator.clipboard.readText();
      } catch {
        if (mine === latest) box.focus(); // refused: the person can still paste by hand
        return;
      }
      if (mine !== latest || box.value !== shown) return;
      put(text);
      const { rows } = read();
      const typed = box.value.split("\n").filter((_, place) => rows[place].length);
      if (!shown.trim() && typed.length && typed.every(isPlain) && canStart()) start();
      else box.focus();
    });
  };

  window.storykeep = Object.assign(window.storykeep || {}, { clipboard });
})();
