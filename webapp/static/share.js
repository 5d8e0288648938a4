// Save to Photos / Share in two taps: the first fetches the files, the second hands them over.
// A browser only shares inside a tap, and fetching takes longer than a tap lasts.
"use strict";

(() => {
  const root = document.documentElement;
  const sheet = document.getElementById("share");
  if (!sheet) return;

  const able = () => {
    if (!window.isSecureContext || !navigator.share || !navigator.canShare) return false;
    const trial = new File(["x"], "x.jpg", { type: "image/jpeg" });
    return navigator.canShare({ files: [trial] });
  };
  const isPhone = window.matchMedia("(pointer: coarse)").matches;
  if (!isPhone || !able()) return;
  root.classList.add("can-share");

  const MAX_BYTES = 250e6; // phones give up at 256 MB: more goes in several rounds
  const AT_ONCE = 3;
  const language = root.lang || "en";
  const plural = new Intl.PluralRules(language);
  const number = new Intl.NumberFormat(language);
  const megabytes = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const find = (name) => sheet.querySelector(`[data-${name}]`);
  const [bar, amounts, said, go, hint] = ["bar", "amounts", "said", "go", "hint"].map(find);
  const [problem, instead] = ["problem", "instead"].map(find);

  let rounds = []; // what is still to be handed over, each less than MAX_BYTES
  let files = [];
  let stop = new AbortController();
  let busy = false;

  const say = (name, count, more = {}) => {
    const source = sheet.querySelector(`template[data-words="${name}"]`);
    const words = source.getAttribute(`data-${plural.select(count)}`) || source.dataset.other;
    const filled = words.replace("{}", number.format(count));
    return Object.entries(more).reduce((text, [key, value]) => text.replace(`{${key}}`, value), filled);
  };

  const nameOf = (url) => decodeURIComponent(new URL(url, location.href).pathname.split("/").pop());

  // In rounds of less than MAX_BYTES each; what is larger alone cannot be shared at all.
  const plan = (wanted) => {
    const made = [];
    let room = 0;
    for (const want of wanted) {
      if (want.bytes > MAX_BYTES) continue;
      if (!made.length || want.bytes > room) {
        made.push([]);
        room = MAX_BYTES;
      }
      made[made.length - 1].push(want);
      room -= want.bytes;
    }
    return made;
  };

  const offer = (words, links) => {
    problem.textContent = words;
    problem.hidden = false;
    instead.replaceChildren(
      ...links.map(([href, text, more]) => {
        const item = document.createElement("li");
        item.append(Object.assign(document.createElement("a"), { href, textContent: text }, more));
        return item;
      }),
    );
    instead.hidden = false;
  };

  const offerInstead = (wanted, words) => {
    offer(words, wanted.map(({ url }) => [url, nameOf(url), { download: "" }]));
    // An installed app on iOS has no downloads: there the words name the way out.
    instead.hidden = root.classList.contains("installed");
  };

  class SignedOut extends Error {}

  const take = async (want, heard) => {
    const answer = await fetch(want.url, { signal: stop.signal, credentials: "same-origin" });
    if (answer.redirected || [401, 403].includes(answer.status)) throw new SignedOut();
    if (!answer.ok) throw new Error(String(answer.status));
    const reader = answer.body.getReader();
    const parts = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      heard(value.length);
    }
    const type = (answer.headers.get("Content-Type") || "").split(";")[0];
    return new File(parts, nameOf(want.url), { type });
  };

  const prepare = async () => {
    const round = rounds[0];
    const { signal } = stop;
    const total = round.reduce((sum, want) => sum + want.bytes, 0);
    const got = [];
    let bytes = 0;
    let ready = 0;
    const tell = () => {
      if (signal.aborted) return;
      if (total) bar.value = Math.min(100, (100 * bytes) / total);
      amounts.textContent = say("ready", round.length, {
        done: number.format(ready),
        size: megabytes.format(bytes / 1e6),
      });
    };
    bar.hidden = false;
    if (total) bar.value = 0;
    else bar.removeAttribute("value");
    go.disabled = true;
    go.textContent = say("preparing", round.length);
    said.textContent = "";
    tell();
    const queue = round.entries();
    const work = async () => {
      for (const [place, want] of queue) {
        try {
          got[place] = await take(want, (more) => {
            bytes += more;
            tell();
          });
          ready += 1;
          tell();
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof SignedOut) {
            stop.abort(); // the others would be told the same
            askToSignIn();
          }
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (signal.aborted) return;
    files = got.filter(Boolean);
    bar.hidden = true;
    const lost = round.filter((_, place) => !got[place]);
    if (lost.length) offerInstead(lost, say("lost", lost.length));
    if (!files.length) {
      go.hidden = true;
      return;
    }
    if (!navigator.canShare({ files })) {
      refuse();
      return;
    }
    go.disabled = false;
    go.textContent = say("share", files.length);
    said.textContent = go.textContent;
    go.focus();
  };

  const refuse = () => {
    go.hidden = true;
    hint.hidden = true;
    offerInstead(rounds.flat(), say("refused", 2));
  };

  // This page's own address asks who it is, and leads back here.
  const askToSignIn = () => {
    go.hidden = true;
    hint.hidden = true;
    bar.hidden = true;
    amounts.textContent = "";
    offer(say("signed-out", 1), [[location.pathname, say("sign-in", 1)]]);
    instead.querySelector("a").focus();
  };

  const open = (wanted) => {
    if (!wanted.length) return;
    stop.abort();
    stop = new AbortController();
    files = [];
    rounds = plan(wanted);
    problem.hidden = true;
    instead.hidden = true;
    instead.replaceChildren();
    hint.hidden = false;
    go.hidden = !rounds.length;
    bar.hidden = true;
    amounts.textContent = "";
    const tooLarge = wanted.filter((want) => want.bytes > MAX_BYTES);
    if (tooLarge.length) offerInstead(tooLarge, say("large", tooLarge.length));
    if (!sheet.open) sheet.showModal();
    if (rounds.length) prepare();
  };

  go.addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    try {
      await navigator.share({ files });
      rounds.shift();
      if (rounds.length) prepare();
      else sheet.close();
    } catch (error) {
      // AbortError: the person closed the system's sheet. That is an answer, not a fault.
      if (error.name === "NotAllowedError") amounts.textContent = say("again", 1);
      else if (error.name !== "AbortError") refuse();
    } finally {
      busy = false;
    }
  });

  sheet.addEventListener("close", () => {
    stop.abort(); // what is still on its way is not wanted any more
    files = [];
    rounds = [];
  });
  find("cancel").addEventListener("click", () => sheet.close());
  sheet.addEventListener("click", (event) => {
    if (event.target === sheet) sheet.close(); // beside the sheet
  });

  const wants = (nodes) => {
    const seen = new Map();
    for (const { dataset } of nodes) {
      seen.set(dataset.share, { url: dataset.share, bytes: Number(dataset.bytes) || 0 });
    }
    return [...seen.values()];
  };

  const SIGHTS = "a[data-view][data-share]";
  const chosen = {
    job: () => document.querySelectorAll(`#job ${SIGHTS}`),
    selected: () =>
      [...document.querySelectorAll(".tile")]
        .filter((tile) => tile.querySelector(".pick:checked"))
        .flatMap((tile) => [...tile.querySelectorAll(SIGHTS)]),
    tile: (button) => button.closest(".tile").querySelectorAll(SIGHTS),
    one: (button) => [button],
  };

  document.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest("[data-share-of]");
      if (button) {
        open(wants(chosen[button.dataset.shareOf](button)));
        return;
      }
      // In an installed app on iOS a download is a dead end without a way back.
      const link = event.target.closest("a[download], a[data-save]");
      if (!link || !root.classList.contains("installed")) return;
      event.preventDefault();
      open([{ url: link.href, bytes: Number(link.dataset.bytes) || 0 }]);
    },
    true,
  );
})();
