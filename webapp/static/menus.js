// Menus stand beside the button that opened them (without a script: in the middle of the window; on
// a phone they rise from its foot), and what sticks to the top of the window knows that it does.
"use strict";

(() => {
  const WIDE = window.matchMedia("(min-width: 40em)");
  const GAP = 6;
  const MOVED = 80; // px; less is the rest of a movement that brought the button into sight
  let opened = 0; // where the page stood then

  const place = (pop) => {
    const button = document.querySelector(`[popovertarget="${CSS.escape(pop.id)}"]`);
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
  document.addEventListener("beforetoggle", () => { opened = scrollY; }, true);
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
  // Beside its button it would stay where it was when the page moves on under it.
  addEventListener(
    "scroll",
    () => {
      if (Math.abs(scrollY - opened) > MOVED) document.querySelector(".pop:popover-open")?.hidePopover();
    },
    { passive: true },
  );
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
