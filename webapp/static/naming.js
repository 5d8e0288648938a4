// The preview of file names as one types, and placeholders that are put in by a tap.
"use strict";

(() => {
  const PAUSE_MS = 300;
  const form = document.querySelector("[data-naming]");
  if (!form) return;
  const field = form.querySelector("[name=template]");
  const shown = form.querySelector("[data-preview]");
  form.querySelector("[data-look]").hidden = true;

  let timer = 0;
  let asked = null;

  const preview = async () => {
    if (asked) asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    const url = `${location.pathname}?${new URLSearchParams({ template: field.value })}`;
    const { outcome, body } = await storykeep.ask(url, { signal, page: true });
    if (outcome !== "ok" || signal.aborted) return; // what is shown stays; Save tells
    const page = new DOMParser().parseFromString(await new Blob(body).text(), "text/html");
    const fresh = page.querySelector("[data-preview]");
    if (!fresh) return;
    shown.replaceChildren(...fresh.childNodes);
    const wrong = shown.querySelector(".wrong");
    field.toggleAttribute("aria-invalid", false);
    if (wrong) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", wrong.id);
    } else {
      field.removeAttribute("aria-describedby");
    }
  };

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(preview, PAUSE_MS);
  };
  field.addEventListener("input", soon);

  for (const written of document.querySelectorAll("[data-insert]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "put";
    button.textContent = written.textContent;
    written.replaceWith(button);
    button.addEventListener("click", () => {
      const at = field.selectionStart ?? field.value.length;
      field.setRangeText(button.textContent, at, field.selectionEnd ?? at, "end");
      field.focus();
      soon();
    });
  }
})();
