// A sign beside each row of the box, for what the row is. The rows are set once more behind the box,
// in the same type and width and unseen, so that the signs keep step with wrapping and scrolling.
"use strict";

(() => {
  const MAX_ROWS = 500; // many times what one job takes; beyond it typing would get slow
  const BLANK = "\u200b";

  // A row's sign: that of its lines, where they are alike, else how many they are.
  const kindOf = (lines) => {
    if (!lines.length) return "";
    const kinds = new Set(lines.map((line) => line.kind));
    if (kinds.has("bad")) return "bad";
    return lines.length > 1 ? String(lines.length) : [...kinds][0];
  };

  window.storykeep = window.storykeep || {};
  window.storykeep.gutter = (box, signs) => {
    const mirror = document.createElement("div");
    mirror.className = "mirror";
    mirror.setAttribute("aria-hidden", "true");
    box.before(mirror);
    box.parentElement.classList.add("signed");
    const rows = [];

    const follow = () => {
      mirror.scrollTop = box.scrollTop;
    };
    const fit = () => {
      if (!CSS.supports("field-sizing", "content")) {
        box.style.blockSize = "auto";
        box.style.blockSize = `${box.scrollHeight}px`;
      }
      // Without a scroll bar's width, in which the box sets no text; and to the fraction of a pixel,
      // for clientWidth is rounded, and half a pixel more may hold a word that the box has broken.
      const bar = box.offsetWidth - box.clientWidth;
      mirror.style.inlineSize = `${box.getBoundingClientRect().width - bar}px`;
      mirror.dir = getComputedStyle(box).direction;
      follow();
    };

    const add = () => {
      const row = document.createElement("div");
      row.append(document.createElement("i"), document.createElement("span"));
      mirror.append(row);
      rows.push(row);
    };

    const sign = (row, kind) => {
      if (row.dataset.kind === kind) return;
      row.dataset.kind = kind;
      const picture = signs.get(kind);
      row.firstChild.replaceChildren(picture ? picture.content.cloneNode(true) : kind);
    };

    const show = ({ rows: found }) => {
      const texts = box.value.split("\n");
      const shown = texts.length > MAX_ROWS ? 0 : texts.length;
      while (rows.length > shown) rows.pop().remove();
      while (rows.length < shown) add();
      rows.forEach((row, place) => {
        const text = texts[place] || BLANK;
        if (row.lastChild.textContent !== text) row.lastChild.textContent = text;
        sign(row, kindOf(found[place] || []));
      });
      fit();
    };

    box.addEventListener("scroll", follow, { passive: true });
    new ResizeObserver(fit).observe(box.parentElement);
    return show;
  };
})();
