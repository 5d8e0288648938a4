// Copy buttons beside what is shown once. Without https there is no clipboard, and no button.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard?.writeText) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.querySelector("span").textContent = button.dataset.done;
    } catch {
      const shown = document.getElementById(button.dataset.copy);
      if (shown.select) shown.select();
      else getSelection().selectAllChildren(shown);
    }
  });
}
