// Looking at what was saved: a dialog over the page that goes from story to story, and on to the next
// author. It is opened by links to the files themselves, which is where they lead without a script.
"use strict";

(() => {
  const dialog = document.getElementById("viewer");
  const { storykeep } = window;
  if (!dialog || typeof dialog.showModal !== "function") return;
  const find = (name) => dialog.querySelector(`[data-${name}]`);
  const [title, place, said, save, share, back, next, told] = [
    "title", "place", "said", "save", "share-of", "back", "next", "tell",
  ].map(find);
  const OPENS = "a[data-view]";
  const rtl = () => document.documentElement.dir === "rtl";
  const viewerAddress = () => document.querySelector("[data-viewer]")?.dataset.viewer || "";

  const kept = new Map(); // line → {etag, answer}: what was answered last
  let fresh = new Set(); // of these, the ones asked for since the viewer was opened
  let answer = null; // the line that is shown; null while only its link is known
  let list = []; // its pictures and videos: {media, story, place: of the story}
  let at = 0;
  let opener = null;
  let opened = 0; // counts openings: what was asked in an earlier one comes too late
  let ready = Promise.resolve(); // steps are taken one after the other

  // --- what there is to show --------------------------------------------------------------------

  const settled = () => document.querySelector("[data-viewer]")?.hasAttribute("data-settled");
  const load = async (line) => {
    const known = kept.get(line);
    if (known && fresh.has(line) && settled()) return { outcome: "ok", answer: known.answer };
    const headers = known ? { "If-None-Match": known.etag } : {};
    const came = await storykeep.ask(`${viewerAddress()}?line=${line}`, { headers, cache: "no-store" });
    if (came.outcome === "ok") {
      try {
        const text = await new Blob(came.body).text();
        kept.set(line, { etag: came.answer.headers.get("ETag") || "", answer: JSON.parse(text) });
      } catch {
        return { outcome: "trouble" };
      }
    } else if (came.outcome !== "unchanged" || !known) return { outcome: came.outcome };
    fresh.add(line);
    return { outcome: "ok", answer: kept.get(line).answer };
  };

  // Addresses in full, as those of links are: what is on the stage already is known by its own.
  const full = (address) => address && new URL(address, location.href).href;
  const listed = ({ stories }) =>
    stories.flatMap((story, index) =>
      story.media.map((one) => {
        const media = { ...one, address: full(one.address), poster: full(one.poster) };
        const timely = (name) => storykeep.timely(name, story.spoken, story.posted.at);
        media.title = timely(one.title);
        media.more = one.more.map((link) => ({ ...link, aria_label: timely(link.aria_label) }));
        return { media, story, place: index };
      }),
    );

  // What the link itself tells: enough to look at while the rest is asked for.
  const bare = (link) => {
    const { view, poster = "", title: words = "", share: address = link.href, bytes = 0 } = link.dataset;
    const media = { kind: view, address: link.href, poster, title: words, position: 0 };
    media.download = { address: link.dataset.save || link.href, label: link.dataset.saveWords, bytes };
    media.share = { address, bytes };
    return { media, story: null, place: 0 };
  };

  // Lines with something to show, in the order of the page, which may show some of them only.
  const lines = () => {
    const nodes = [...document.querySelectorAll(".line[data-line]:not([hidden])")];
    const numbered = nodes.map((node) => [Number(node.dataset.line), node]);
    if (!numbered.some(([line]) => line === answer.line)) return answer.lines;
    return numbered
      .filter(([line, node]) => line === answer.line || answer.lines.includes(line) || node.querySelector(OPENS))
      .map(([line]) => line);
  };
  const beyond = (by) => {
    if (!answer) return [];
    const order = lines();
    const here = order.indexOf(answer.line);
    return by > 0 ? order.slice(here + 1) : order.slice(0, here).reverse();
  };
  // More of it may have come since it was asked for.
  const growing = () =>
    answer && document.querySelector(`.line[data-line="${answer.line}"]:is(.queued, .running)`) !== null;

  // --- showing it -------------------------------------------------------------------------------

  const stage = storykeep.stage(dialog, {
    // A video that is over leads on, unless somebody is reading.
    ended: () => {
      if (!reading()) step(1);
    },
    failed: (media) => lookWhy(media),
  });
  const facts = storykeep.facts(dialog);

  const tellMore = (open) => {
    dialog.classList.toggle("told", open);
    told.setAttribute("aria-expanded", open);
    if (open) facts.panel.focus({ preventScroll: true });
  };
  const reading = () =>
    dialog.classList.contains("told") || facts.panel.contains(document.activeElement);

  // A picture does not say why it failed: it is asked after.
  const lookWhy = async (media) => {
    const headers = { Range: "bytes=0-0" }; // enough to learn whether we are let in
    const { outcome } = await storykeep.ask(media.address, { headers });
    if (!dialog.open || list[at]?.media.address !== media.address) return;
    if (outcome === "signed-out" && storykeep.lead()) return;
    const reasons = { gone: "gone", ok: "broken" };
    stage.say(reasons[outcome] || "trouble", list[at].story?.page_url);
  };

  const show = (index) => {
    at = index;
    const { media, story, place: segment } = list[at];
    const stories = answer ? answer.stories.length : 1;
    const part = story ? (at - list.findIndex((one) => one.story === story) + 1) / story.media.length : 0;
    stage.mark(stories, segment, media.kind === "video" ? 0 : part);
    stage.show(media);
    const wasBare = dialog.classList.contains("bare");
    dialog.classList.toggle("bare", !story);
    if (story) {
      facts.fill(media, story, answer.author);
      place.textContent = `${at + 1} / ${list.length}`;
      const who = answer.author.handle || `\u2068${answer.author.title}\u2069`; // may read the other way
      const words = { n: at + 1, total: list.length, who };
      said.textContent = said.dataset.words.replace(/\{(\w+)\}/g, (_, name) => words[name]);
      // They were asked for before there were any.
      if (wasBare && document.activeElement === told) tellMore(dialog.classList.contains("told"));
    } else title.textContent = media.title;
    save.href = media.download.address;
    save.dataset.bytes = media.download.bytes;
    save.lastChild.textContent = [media.download.label, media.size].filter(Boolean).join("\u00a0·\u00a0");
    share.dataset.share = media.share.address;
    share.dataset.bytes = media.share.bytes;
    arrows();
    ahead();
  };

  const arrows = () => {
    // Not `disabled`: that takes the focus away, and the arrow keys with it.
    back.setAttribute("aria-disabled", at === 0 && !beyond(-1).length);
    next.setAttribute("aria-disabled", at === list.length - 1 && !beyond(1).length && !growing());
  };

  const ahead = async () => {
    if (list[at + 1]) stage.prepare(list[at + 1].media);
    const [line] = beyond(1);
    if (line === undefined || at < list.length - 2 || navigator.connection?.saveData) return;
    const mine = opened;
    const came = await load(line);
    if (mine !== opened || !dialog.open || at !== list.length - 1 || !came.answer) return;
    const [first] = listed(came.answer);
    if (first) stage.prepare(first.media);
  };

  const closed = (outcome, otherwise) => {
    if (outcome !== "signed-out" && outcome !== "gone") return false;
    if (!storykeep.lead()) location.assign(otherwise);
    return true;
  };

  // --- going on ---------------------------------------------------------------------------------

  // To the next line that has something to show: to its first, or from behind, to its last.
  const cross = async (by) => {
    const mine = opened;
    // Its own line first, while that is on its way.
    for (const line of by > 0 && !settled() && answer ? [answer.line, ...beyond(by)] : beyond(by)) {
      const came = await load(line);
      if (mine !== opened || !dialog.open) return;
      if (closed(came.outcome, location.href)) return;
      if (came.outcome !== "ok") break;
      if (!came.answer.stories.length) continue;
      const own = line === answer.line;
      const known = new Set(own ? list.map(({ media }) => media.address) : []);
      const later = listed(came.answer);
      const first = own ? later.findIndex(({ media }) => !known.has(media.address)) : 0;
      if (first < 0) continue;
      answer = came.answer;
      list = later;
      show(by > 0 ? first : list.length - 1);
      return;
    }
    if (list[at]) show(at);
  };

  const go = (where, by) => {
    const mine = opened;
    ready = ready.then(async () => {
      if (!dialog.open || mine !== opened) return;
      const to = where(at);
      if (to >= 0 && to < list.length) show(to);
      else await cross(by);
    });
  };
  const step = (by) => go((here) => here + by, by);

  const adopt = (came, { dataset: { story, position }, href }) => {
    answer = came;
    list = listed(answer);
    const index = [
      (one) => one.story.id === story && String(one.media.position) === position,
      (one) => one.media.address === href,
      (one) => one.story.id === story,
    ].reduce((found, test) => (found < 0 ? list.findIndex(test) : found), -1);
    if (index >= 0) show(index);
    else stage.say("gone", `${location.pathname}?story=${story}#story-${story}`);
  };

  const open = (link) => {
    if (dialog.open) return;
    opener = link;
    opened += 1;
    const mine = opened;
    fresh = new Set();
    answer = null;
    list = [bare(link)];
    tellMore(false);
    dialog.showModal();
    // The phone's back gesture closes the viewer instead of leaving the page.
    history.pushState({ viewer: true }, "");
    show(0);
    const line = link.dataset.line || link.closest("[data-line]")?.dataset.line;
    // Steps wait for it, but it waits for nothing that an earlier opening asked.
    ready = load(Number(line)).then((came) => {
      if (mine !== opened || !dialog.open || closed(came.outcome, link.href)) return;
      // Without an answer there is still the picture.
      if (came.outcome === "ok") adopt(came.answer, link);
    });
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest(OPENS);
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open(link);
  });

  // The link to what was looked at last, where the page shows it; else the one it began with.
  const origin = () => {
    const { story, media } = list[at] || {};
    const same = story ? [...document.querySelectorAll(`${OPENS}[data-story="${story.id}"]`)] : [];
    const visible = same.filter((link) => link.offsetParent);
    return visible.find(({ dataset }) => dataset.position === String(media.position)) || visible[0] || opener;
  };

  dialog.addEventListener("close", () => {
    stage.end();
    if (history.state && history.state.viewer) history.back();
    const link = origin();
    if (link && link.isConnected) link.focus();
    [answer, list, at] = [null, [], 0];
  });
  window.addEventListener("popstate", () => {
    if (dialog.open) dialog.close();
  });
  document.addEventListener("storykeep:fresh", () => dialog.open && list.length && arrows());
  // Escape leaves the facts of a narrow screen first.
  dialog.addEventListener("cancel", (event) => {
    if (event.target !== dialog || !dialog.classList.contains("told")) return;
    event.preventDefault();
    tellMore(false);
    told.focus();
  });

  // --- hands ------------------------------------------------------------------------------------

  const forward = (side) => (side === "right") !== rtl();
  storykeep.gestures(find("stage"), {
    tap: (side) => {
      if (dialog.classList.contains("told")) tellMore(false);
      else step(forward(side) ? 1 : -1);
    },
    hold: stage.hold,
    release: stage.release,
    click: stage.toggle,
    swipe: (way) => {
      if (way === "up") tellMore(true);
      else if (way === "down" && dialog.classList.contains("told")) tellMore(false);
      else if (way === "down") dialog.close();
      else step(forward(way) ? -1 : 1); // the finger pulls, so the other way than a tap
    },
  });

  find("close").addEventListener("click", () => dialog.close());
  back.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  told.addEventListener("click", () => tellMore(!dialog.classList.contains("told")));
  find("glance").addEventListener("click", () => tellMore(true));
  find("again").addEventListener("click", () => list[at] && show(at));
  find("way").addEventListener("click", (event) => {
    // The page shows the story most of the time: going there is closing. But the page is old.
    event.preventDefault();
    location.replace(event.currentTarget.href);
  });
  // After a click the keys are the viewer's again: Space plays, whatever was clicked.
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && event.detail && dialog.open && button !== told) title.parentElement.focus({ preventScroll: true });
  });

  const KEYS = {
    ArrowRight: () => step(rtl() ? -1 : 1),
    ArrowLeft: () => step(rtl() ? 1 : -1),
    j: () => step(1),
    k: () => step(-1),
    Home: () => go(() => 0, 1),
    End: () => go(() => list.length - 1, -1),
    " ": stage.toggle,
    m: stage.silence,
    d: () => save.click(),
  };
  // The whole page's: after a tap on a picture nothing inside the dialog has the focus.
  document.addEventListener(
    "keydown",
    (event) => {
      if (!dialog.open || document.querySelector("dialog[open]:not(#viewer)")) return;
      if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own
      const { key, target } = event;
      const act = KEYS[key.length === 1 ? key.toLowerCase() : key];
      if (!act) return;
      if (key === " " && target.matches("button, a[href]")) return; // there it presses
      if (key.length > 1 && target.matches("input")) return; // there the arrows seek
      if (event.repeat && key.length === 1) return;
      event.preventDefault();
      event.stopImmediatePropagation(); // the page below has keys of its own
      act();
    },
    true,
  );
})();
