// Questions in a dialog, where the page they are about stays: a link with data-confirm leads to a page
// that asks, and that page's words and form are shown here; a form with data-sure has the words itself.
"use strict";

(() => {
  const { cancel } = document.currentScript.dataset;
  const dialog = document.createElement("dialog");
  dialog.className = "sure card";
  dialog.setAttribute("aria-labelledby", "sure");
  document.body.append(dialog);
  // A click beside it is on the dialog itself: what is in it fills it.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });

  const heading = (text) => {
    const node = document.createElement("h2");
    node.id = "sure";
    node.textContent = text;
    return node;
  };

  // The last choice is the one that changes nothing, and the one that has the focus.
  const open = (...parts) => {
    const inner = document.createElement("div");
    inner.className = "stack";
    inner.append(...parts);
    dialog.replaceChildren(inner);
    dialog.showModal();
    const choices = dialog.querySelectorAll(".buttons .button");
    choices[choices.length - 1].focus();
  };

  // The question of another page; null where it is not one, such as a sign-in page.
  const question = (page, address) => {
    const title = page.querySelector("main h1");
    const form = page.querySelector("main form.buttons[method=post]");
    const back = form && form.querySelector("a.button");
    if (!title || !back) return null;
    const own = document.importNode(form, true);
    own.action = form.getAttribute("action") || address;
    own.querySelector("a.button").addEventListener("click", (event) => {
      event.preventDefault();
      dialog.close();
    });
    const lead = [...page.querySelectorAll("main .lead")].map((node) =>
      document.importNode(node, true),
    );
    return [heading(title.textContent), ...lead, own];
  };

  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-confirm]");
    const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!link || event.defaultPrevented || event.button || !isPlain) return;
    event.preventDefault();
    const { outcome, body } = await window.storykeep.ask(link.href, { page: true });
    if (outcome === "ok" && body && !dialog.open) {
      const page = new DOMParser().parseFromString(await new Blob(body).text(), "text/html");
      const parts = question(page, link.href);
      if (parts) {
        open(...parts);
        return;
      }
    }
    if (!dialog.open) location.assign(link.href);
  });

  let agreed = null;
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-sure]");
    if (!form || form === agreed) return;
    event.preventDefault();
    const { submitter } = event;
    const choices = document.createElement("div");
    choices.className = "buttons";
    const choice = (text, act) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button";
      button.append(text);
      button.addEventListener("click", () => {
        dialog.close();
        if (act) act();
      });
      choices.append(button);
      return button;
    };
    const word = submitter ? submitter.firstChild.cloneNode(true) : "OK";
    const yes = submitter && submitter.querySelector("svg") ? submitter.textContent : word;
    choice(yes, () => {
      agreed = form;
      form.requestSubmit(submitter);
      agreed = null;
    }).classList.add("danger");
    choice(cancel);
    open(heading(form.dataset.sure), choices);
  });
})();
