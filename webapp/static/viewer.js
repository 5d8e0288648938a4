// Looking at what was saved: a dialog over the grid, with arrows, swipe and Escape.
"use strict";

(() => {
  const dialog = document.getElementById("viewer");
  if (!dialog || typeof dialog.showModal !== "function") return;
  const stage = dialog.querySelector("[data-stage]");
  const title = dialog.querySelector("[data-title]");
  const facts = dialog.querySelector("[data-facts]");
  const place = dialog.querySelector("[data-place]");
  const save = dialog.querySelector("[data-save]");
  const share = dialog.querySelector("[data-share-of]");
  const back = dialog.querySelector("[data-back]");
  const next = dialog.querySelector("[data-next]");
  const rtl = document.documentElement.dir === "rtl";
  let links = []; // and a "Show all" in the place of pictures that are not in the page yet
  let at = 0;
  let loading = false;

  // Of several pictures of a story the first is in the list, too: looked at once.
  const gather = () => {
    const all = [...document.querySelectorAll('a[data-view], a[data-fold]:not([data-pictures="0"])')];
    return [...new Map(all.reverse().map((one) => [one.href, one])).values()].reverse();
  };
  const weigh = (some) =>
    some.reduce((sum, { dataset }) => sum + (dataset.fold ? Number(dataset.pictures) : 1), 0);
  const find = (href) => links.findIndex((one) => one.href === href);

  const empty = () => {
    for (const old of stage.querySelectorAll("video, img")) {
      if (old.nodeName === "VIDEO") {
        old.pause();
        old.removeAttribute("src");
        old.load(); // lets go of the connection
      }
      old.remove();
    }
  };

  const lookWhy = async (url) => {
    const headers = { Range: "bytes=0-0" }; // enough to learn whether we are let in
    const { outcome } = await window.storykeep.ask(url, { headers });
    if (outcome === "signed-out" || outcome === "gone") window.storykeep.lead();
  };

  const show = (index) => {
    at = index;
    const link = links[at];
    empty();
    let media;
    if (link.dataset.view === "video") {
      media = document.createElement("video");
      media.controls = true;
      media.playsInline = true;
      media.preload = "metadata";
      media.loop = true;
      if (link.dataset.poster) media.poster = link.dataset.poster;
      media.setAttribute("aria-label", link.dataset.title);
    } else {
      media = document.createElement("img");
      media.alt = link.dataset.title;
    }
    // A picture does not say why it failed: a sign-in that ended is asked after, and led to.
    media.addEventListener("error", () => lookWhy(link.href), { once: true });
    media.src = link.href;
    stage.append(media);
    if (media.nodeName === "VIDEO") {
      const playing = media.play();
      if (playing) playing.catch(() => {}); // the browser wants a tap first: the controls are there
    }
    title.textContent = link.dataset.title;
    // What its tile says, and all of the caption. Its clocks go on ticking.
    // A tile that was cleaned up while we look at it is gone from the page.
    const told = link.closest(".tile")?.querySelectorAll(".posted, .caption, .clocks") || [];
    facts.replaceChildren(...[...told].map((one) => one.cloneNode(true)));
    facts.scrollTop = 0;
    place.textContent = `${weigh(links.slice(0, at)) + 1} / ${weigh(links)}`;
    save.href = link.dataset.save;
    share.dataset.share = link.dataset.share;
    share.dataset.bytes = link.dataset.bytes;
    save.lastChild.textContent = link.dataset.saveWords;
    // Not `disabled`: that takes the focus away, and the arrow keys with it.
    back.setAttribute("aria-disabled", at === 0);
    next.setAttribute("aria-disabled", at === links.length - 1);
  };

  // Goes to a place in the list, seen from `by` (1: from before it). Where a line shows a part of
  // its pictures, the others are fetched first.
  const go = async (to, by) => {
    if (loading || to < 0 || to >= links.length) return;
    if (!links[to].dataset.fold) {
      show(to);
      return;
    }
    loading = true;
    const before = links[to - 1]?.href;
    const after = links[to + 1]?.href;
    const here = links[at].href;
    const came = await window.storykeep.unfold(links[to]);
    loading = false;
    if (!dialog.open || !came) return;
    links = gather();
    at = Math.max(0, find(here));
    if (by > 0) go(before === undefined ? 0 : find(before) + 1, by);
    else go(after === undefined ? links.length - 1 : find(after) - 1, by);
  };
  const step = (by) => go(at + by, by);

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-view]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    links = gather();
    dialog.showModal();
    // The phone's back gesture closes the viewer instead of leaving the page.
    history.pushState({ viewer: true }, "");
    show(find(link.href));
  });

  dialog.addEventListener("close", () => {
    empty();
    if (history.state && history.state.viewer) history.back();
    const link = links[at];
    if (link && link.isConnected) link.focus();
  });
  window.addEventListener("popstate", () => {
    if (dialog.open) dialog.close();
  });

  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  back.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  // The whole page's: after a tap on a picture nothing inside the dialog has the focus.
  document.addEventListener("keydown", (event) => {
    if (!dialog.open || document.querySelector("dialog[open]:not(#viewer)")) return;
    if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own
    if (event.target.nodeName === "VIDEO") return; // there the arrows seek
    if (event.key === "ArrowRight") step(rtl ? -1 : 1);
    else if (event.key === "ArrowLeft") step(rtl ? 1 : -1);
    else if (event.key === "Home") go(0, 1);
    else if (event.key === "End") go(links.length - 1, -1);
    else return;
    event.preventDefault();
  });

  const CONTROLS = 0.22; // of a video's height, at its bottom: the seek bar's, not ours
  let touch = null;
  stage.addEventListener(
    "touchstart",
    (event) => {
      touch = null;
      if (event.touches.length !== 1) return;
      const { clientX, clientY, target } = event.touches[0];
      const box = target.getBoundingClientRect();
      const seeking = target.nodeName === "VIDEO" && clientY > box.bottom - box.height * CONTROLS;
      if (!seeking) touch = { x: clientX, y: clientY };
    },
    { passive: true },
  );
  stage.addEventListener("touchend", (event) => {
    if (!touch) return;
    const { clientX, clientY } = event.changedTouches[0];
    const across = clientX - touch.x;
    const down = clientY - touch.y;
    touch = null;
    if (Math.abs(across) > 48 && Math.abs(across) > 1.5 * Math.abs(down)) {
      step((across < 0 ? 1 : -1) * (rtl ? -1 : 1));
    } else if (down > 96 && down > 2 * Math.abs(across)) dialog.close();
  });
})();
