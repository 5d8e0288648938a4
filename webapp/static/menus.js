// Menus stand beside the button that opened them (without a script: in the middle of the window; on
// a phone they rise from its foot), and what sticks to the top of the window knows that it does.
"use strict";

(() => {
  const WIDE = window.matchMedia("(min-width: 40em)");
  const GAP = 6;
  const MOVED = 80; // px; less is the rest of a movement that brought the button into sight
  let opened = 0; // where the button of the open menu stood in the window then

  const buttonOf = (pop) => document.querySelector(`[popovertarget="${CSS.escape(pop.id)}"]`);
  const topOf = (pop) => buttonOf(pop)?.getBoundingClientRect().top ?? 0;
  const openMenu = () => document.querySelector(".pop:popover-open");

  const place = (pop) => {
    const button = buttonOf(pop);
    if (!button || !WIDE.matches) return;
    const by = button.getBoundingClientRect();
    const { width, height } = pop.getBoundingClientRect();
    const room = innerHeight - by.bottom - GAP;
    const top = room >= height || by.top < height ? by.bottom + GAP : by.top - GAP - height;
    // It grows to where there is more room.
    const left = by.left + by.right < innerWidth ? by.left : by.right - width;
    Object.assign(pop.style, {
      margin: "0",
      insetBlockStart: `${Math.max(GAP, Math.min(top, innerHeight - height - GAP))}px`,
      insetInlineStart: "auto",
      insetInlineEnd: "auto",
      left: `${Math.max(GAP, Math.min(left, innerWidth - width - GAP))}px`,
    });
  };

  // Before it opens: the end of a movement may be told before "toggle" is.
  document.addEventListener("beforetoggle", ({ target }) => { opened = topOf(target); }, true);
  document.addEventListener(
    "toggle",
    (event) => {
      const pop = event.target;
      if (!pop.matches?.(".pop[popover]")) return;
      if (event.newState === "open") place(pop);
      else pop.removeAttribute("style");
    },
    true,
  );
  // Beside its button it would stay where it was when the page moves on under it. It is the button
  // that counts: when lines above it grow, the browser scrolls so that it stays where it is.
  addEventListener(
    "scroll",
    () => {
      const pop = openMenu();
      if (pop && Math.abs(topOf(pop) - opened) > MOVED) pop.hidePopover();
    },
    { passive: true },
  );
  // And when something new has moved the button, its menu comes along.
  document.addEventListener("storykeep:fresh", () => {
    const pop = openMenu();
    if (!pop || topOf(pop) === opened) return;
    opened = topOf(pop);
    place(pop);
  });
  // What was chosen there happens behind it.
  document.addEventListener("click", (event) => {
    const pop = event.target.closest?.(".pop");
    if (pop && event.target.closest("a, button")) pop.hidePopover?.();
  });

  const watch = () => {
    const head = document.getElementById("job-head");
    const tools = document.getElementById("job-tools");
    if (!head || !tools) return;
    tools.classList.toggle("stuck", head.getBoundingClientRect().bottom < 0);
  };
  addEventListener("scroll", watch, { passive: true });
  document.addEventListener("storykeep:fresh", watch);
  watch();
})();
