// One click for a ZIP: a button that has to be packed first (data-pack) asks for it, waits, and lets
// the download begin in this tab, once. Without a script the form leads to a page that waits.
"use strict";

(() => {
  const { ask } = window.storykeep;
  const said = document.getElementById("pack-said");
  const problem = document.getElementById("pack-problem");
  if (!said || !problem) return;
  const FAST_MS = 400;
  const SLOW_MS = 3000;
  const LOST = 8; // answers in a row that did not come
  const busy = new Set(); // what is being packed, by its form's fields: a second tap is none

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  const take = (address) => {
    const link = Object.assign(document.createElement("a"), { href: address, download: "" });
    link.dataset.download = ""; // share.js hands it over where a download is a dead end
    link.hidden = true;
    document.body.append(link);
    link.click();
    link.remove();
  };

  const read = async (came) => JSON.parse(await new Blob(came.body).text());

  const json = (url, more = {}) => ask(url, { headers: { Accept: "application/json" }, cache: "no-store", ...more });

  // The ring of the button that was pressed; in words it stands in the page, where there is room.
  const show = (button, percent) => {
    if (Number.isInteger(percent)) button.style.setProperty("--packed", `${percent}%`);
    else button.style.removeProperty("--packed");
  };

  // Resolves to {state: "ready", address} or {state: "failed", words}. heard: told how much is packed,
  // in hundredths, when that is known and has changed.
  const packed = async (address, body, heard) => {
    const first = await json(address, { method: "POST", body });
    if (first.outcome !== "ok") return { state: "failed", outcome: first.outcome };
    let told = await read(first);
    const { watch } = told;
    window.storykeep.refresh?.();
    let lost = 0;
    for (let wait = FAST_MS; told.state === "packing"; wait = Math.min(SLOW_MS, 1.3 * wait)) {
      await pause(wait);
      const came = await json(watch);
      if (came.outcome === "ok") {
        const { percent } = told;
        told = await read(came);
        lost = 0;
        if (told.percent !== percent) heard(told.percent);
      } else if (["signed-out", "gone"].includes(came.outcome) || ++lost > LOST) {
        return { state: "failed", outcome: came.outcome };
      }
    }
    return told;
  };

  const complain = (told) => {
    if (["signed-out", "gone"].includes(told.outcome) && window.storykeep.lead()) return;
    problem.textContent = told.words || said.dataset.lost;
    problem.hidden = false;
    problem.scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("submit", async (event) => {
    const button = event.submitter;
    if (!button?.matches("[data-pack]")) return;
    event.preventDefault();
    const body = new FormData(event.target, button);
    // Without an address of its own a button says it has the page's.
    const address = button.hasAttribute("formaction") ? button.formAction : event.target.action;
    const fields = [...body].filter(([name]) => name !== "csrfmiddlewaretoken");
    const key = JSON.stringify([address, ...fields]);
    if (busy.has(key)) return;
    busy.add(key);
    problem.hidden = true;
    said.textContent = said.dataset.packing;
    button.setAttribute("aria-busy", "true");
    const told = await packed(address, body, (percent) => {
      show(button, percent);
      window.storykeep.refresh?.();
    });
    show(button, null);
    busy.delete(key);
    button.removeAttribute("aria-busy");
    said.textContent = told.state === "ready" ? said.dataset.started : "";
    if (told.state === "ready") take(told.address);
    else complain(told);
    window.storykeep.refresh?.();
  });
})();
