// The tab of a job: its title and its icon say how far it is, also behind other tabs.
"use strict";

(() => {
  const icon = document.querySelector('link[rel="icon"]');
  const own = icon?.href;
  const COLOURS = { busy: "#0c6355", done: "#0c6355", warn: "#c77700", bad: "#d0362e" };
  const INSIDE = {
    busy: '<rect x="25" y="21" width="14" height="22" rx="4" fill="#fff"/>',
    done: '<path d="m21 33 8 8 15-17" fill="none" stroke="#fff" stroke-width="6" stroke-linecap="round" stroke-linejoin="round"/>',
    warn: '<path d="M32 20v15m0 9v.1" stroke="#fff" stroke-width="6" stroke-linecap="round"/>',
  };
  let shown = "";

  // An SVG image by its address; our policy lets pictures come from data.
  const drawn = (sign, percent) => {
    const ring = '<circle cx="32" cy="32" r="23" fill="none" pathLength="100" stroke="#fff" stroke-width="6"';
    const done = sign === "busy" ? percent : 100;
    const arc = `${ring} stroke-linecap="round" stroke-dasharray="${Math.max(1, done)} 100" transform="rotate(-90 32 32)"/>`;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="15" fill="${COLOURS[sign]}"/>${ring} stroke-opacity=".28"/>${arc}${INSIDE[sign] || INSIDE.warn}</svg>`;
    return `data:image/svg+xml,${encodeURIComponent(svg)}`;
  };

  const show = () => {
    const job = document.getElementById("job");
    if (!job) return;
    const { tab, sign, percent } = job.dataset;
    const title = `${tab} · Storykeep`;
    if (document.title !== title) document.title = title;
    const wanted = sign ? `${sign} ${sign === "busy" ? percent : ""}` : "";
    if (!icon || wanted === shown) return;
    shown = wanted;
    // A new element: Firefox keeps the icon it has when only the address changes.
    const fresh = icon.cloneNode();
    fresh.href = sign ? drawn(sign, Number(percent)) : own;
    document.querySelector('link[rel="icon"]').replaceWith(fresh);
  };

  document.addEventListener("storykeep:fresh", show);
  show();
})();
