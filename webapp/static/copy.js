// Copy buttons beside what is shown once. Without https there is no clipboard, and no button.
"use strict";

(() => {
  const PATIENCE_MS = 3000; // a question the browser asks may never be answered

  const select = (shown) => {
    if (shown.select) shown.select();
    else getSelection().selectAllChildren(shown);
  };

  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard?.writeText) break;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const shown = document.getElementById(button.dataset.copy);
      const late = setTimeout(select, PATIENCE_MS, shown);
      try {
        await navigator.clipboard.writeText(shown.textContent);
        button.querySelector("span").textContent = button.dataset.done;
      } catch {
        select(shown);
      } finally {
        clearTimeout(late);
      }
    });
  }
})();
