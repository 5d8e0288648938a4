// Save to Photos / Share in two taps: the first fetches the files, the second hands them over.
// A browser only shares inside a tap, and fetching takes longer than a tap lasts.
//
// Nothing here waits for the phone's answer: after "Save Image" an iPhone never gives one. Each tap
// hands over again, and what comes after a round can be asked for without it.
"use strict";

(() => {
  const root = document.documentElement;
  const sheet = document.getElementById("share");
  if (!sheet) return;
  const { ask, sharing } = window.storykeep;

  const takes = (files) => {
    try {
      return navigator.canShare({ files });
    } catch {
      return false;
    }
  };
  const able = () =>
    window.isSecureContext &&
    navigator.share &&
    navigator.canShare &&
    takes([new File(["x"], "x.jpg", { type: "image/jpeg" })]);
  const isPhone = window.matchMedia("(pointer: coarse)").matches;
  if (!isPhone || !able()) return;
  root.classList.add("can-share");

  const AT_ONCE = 3;
  const REFUSED_TWICE = 2; // the first refusal may be a tap that came too late
  const language = root.lang || "en";
  const plural = new Intl.PluralRules(language);
  const number = new Intl.NumberFormat(language);
  const units = sheet.dataset.units.split(" ");
  const find = (name) => sheet.querySelector(`[data-${name}]`);
  const [bar, amounts, said, go, next, hint] = ["bar", "amounts", "said", "go", "next", "hint"].map(find);
  const [problem, instead] = ["problem", "instead"].map(find);

  let rounds = []; // what is still to be handed over; the first of them is in `files`
  let done = 0; // rounds that were
  let files = [];
  let limits = sharing.LIMITS;
  let refusals = 0; // in a row
  let counted = ""; // the words about what is in it
  let call = 0; // of navigator.share, the latest
  let apart = {}; // files for a download instead, by reason
  let stop = new AbortController();

  const say = (name, count, more = {}) => {
    const source = sheet.querySelector(`template[data-words="${name}"]`);
    const words = source.getAttribute(`data-${plural.select(count)}`) || source.dataset.other;
    const filled = words.replace("{}", number.format(count));
    return Object.entries(more).reduce((text, [key, value]) => text.replace(`{${key}}`, value), filled);
  };

  const nameOf = (url) => decodeURIComponent(new URL(url, location.href).pathname.split("/").pop());

  const offer = (words, links) => {
    problem.textContent = words;
    problem.hidden = false;
    instead.replaceChildren(
      ...links.map(([href, text, marks]) => {
        const item = document.createElement("li");
        const link = Object.assign(document.createElement("a"), { href, textContent: text });
        Object.assign(link.dataset, marks);
        item.append(link);
        return item;
      }),
    );
    instead.hidden = false;
  };

  const offerInstead = (reason, wanted) => {
    const known = new Set(Object.values(apart).flatMap((group) => group.map(({ url }) => url)));
    const fresh = wanted.filter(({ url }) => !known.has(url));
    if (!fresh.length) return;
    apart[reason] = [...(apart[reason] || []), ...fresh];
    const all = Object.entries(apart);
    offer(
      all.map(([name, group]) => say(name, group.length)).join(" "),
      all.flatMap(([, group]) => group.map(({ url }) => [url, nameOf(url), { download: "" }])),
    );
    // An installed app on iOS has no downloads: there the words name the way out.
    instead.hidden = root.classList.contains("installed");
  };

  // Made with the time of the post, by which a photo library sorts.
  const fileOf = (want, { answer, body }) => {
    const type = (answer.headers.get("Content-Type") || "").split(";")[0];
    const lastModified = Date.parse(answer.headers.get("Last-Modified") || "") || Date.now();
    return new File(body, nameOf(want.url), { type, lastModified });
  };

  const prepare = async () => {
    files = []; // before the next are fetched: only one round is held
    refusals = 0;
    if (!rounds.length) {
      finish();
      return;
    }
    const round = rounds[0];
    const { signal } = stop;
    const total = round.reduce((sum, want) => sum + want.bytes, 0);
    const got = [];
    let bytes = 0;
    let ready = 0;
    let out = false; // signed out: the others will be told the same
    const over = () => signal.aborted || out;
    const tell = () => {
      if (over()) return;
      if (total) bar.value = Math.min(100, (100 * bytes) / total);
      counted = say("ready", round.length, {
        done: number.format(ready),
        size: sharing.size(bytes, units, language),
      });
      amounts.textContent = counted;
    };
    bar.hidden = false;
    if (total) bar.value = 0;
    else bar.removeAttribute("value");
    next.hidden = true;
    go.hidden = false;
    go.disabled = true;
    go.textContent = say("preparing", round.length);
    said.textContent = "";
    tell();
    const queue = round.entries();
    const work = async () => {
      for (const [place, want] of queue) {
        const came = await ask(want.url, {
          signal,
          heard: (more) => {
            bytes += more;
            tell();
          },
        });
        if (over()) return;
        if (came.outcome === "signed-out") {
          // The others are not aborted: Chromium makes an error of its own, about origins, of a
          // redirect that meets an abort on its way.
          out = true;
          askToSignIn();
          return;
        }
        if (came.outcome !== "ok") continue;
        got[place] = fileOf(want, came);
        ready += 1;
        tell();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (over()) return;
    bar.hidden = true;
    offerInstead("lost", round.filter((_, place) => !got[place]));
    // The sizes as they came, for the page's may be old.
    const came = round.flatMap((want, place) =>
      got[place] ? [{ ...want, bytes: got[place].size, file: got[place] }] : [],
    );
    if (came.length) keep(came);
    else skip();
  };

  // As many of what came as the phone says it takes; the others are for later rounds.
  const keep = (came) => {
    const [first] = sharing.plan(came, limits);
    const count = sharing.taken(first.map(({ file }) => file), takes);
    const later = came.slice(count || 1).map(({ url, bytes }) => ({ url, bytes }));
    if (!count) {
      refuse(came[0], later);
      return;
    }
    if (later.length) rounds = [first.slice(0, count), ...again([...later, ...rounds.slice(1).flat()])];
    rounds[0] = first.slice(0, count);
    files = rounds[0].map(({ file }) => file);
    show();
  };

  const again = (wanted) => sharing.plan(wanted, limits);

  const show = () => {
    const place = done + 1;
    const of = done + rounds.length;
    const words = of > 1 ? "share-round" : "share";
    go.textContent = say(words, files.length, { round: number.format(place), rounds: number.format(of) });
    go.disabled = false;
    said.textContent = go.textContent;
    go.focus();
  };

  // A kind of file that a phone refuses alone, it refuses every time.
  const endingOf = ({ url }) => nameOf(url).split(".").pop();
  const refuse = (want, later) => {
    const alike = (other) => endingOf(other) === endingOf(want);
    const rest = [...later, ...rounds.slice(1).flat()];
    offerInstead("refused", [want, ...rest.filter(alike)]);
    rounds = again(rest.filter((other) => !alike(other)));
    prepare();
  };

  const skip = () => {
    rounds.shift();
    prepare();
  };

  // Every round was handed over, or nothing is left that could be.
  const finish = () => {
    if (Object.keys(apart).length) {
      go.hidden = true;
      next.hidden = true;
      hint.hidden = true;
      bar.hidden = true;
      amounts.textContent = "";
    } else sheet.close();
  };

  const advance = () => {
    done += 1;
    skip();
  };

  const share = async () => {
    const mine = ++call;
    const round = rounds[0];
    const { signal } = stop;
    // Whether or not an answer comes: the next round does not wait for it.
    next.hidden = rounds.length < 2;
    amounts.textContent = counted;
    let fault = "";
    try {
      await navigator.share({ files });
    } catch (error) {
      fault = error?.name || "Error";
    }
    // Answered too late: the sheet was closed, or this round is over.
    if (signal.aborted || rounds[0] !== round) return;
    if (!fault) advance();
    else if (mine === call) answered(fault, round);
  };

  const answered = (fault, round) => {
    if (fault === "AbortError") {
      // The person closed the phone's sheet. That is an answer, not a fault.
      refusals = 0;
      next.hidden = true;
      return;
    }
    next.hidden = true;
    if (fault === "InvalidStateError") {
      // The phone still waits for the end of an earlier one, and no script can end that.
      offer(say("pending", 1), [[location.href.split("#")[0], say("reload", 1)]]);
      return;
    }
    refusals += 1;
    const wanted = round.map(({ url, bytes }) => ({ url, bytes }));
    const rest = rounds.slice(1).flat();
    if (round.length === 1 && round[0].bytes > limits.bytes) {
      // Too large for this phone, most likely: the download is there, and the button too.
      offerInstead("refused", wanted);
      if (rest.length) skip();
      return;
    }
    if (fault === "NotAllowedError" && refusals < REFUSED_TWICE && !shrunk()) {
      amounts.textContent = say("again", 1);
      return;
    }
    if (round.length === 1) {
      // One at a time is what it came to: it takes none of them.
      offerInstead("refused", limits.files === 1 ? [...wanted, ...rest] : wanted);
      rounds = limits.files === 1 ? [] : rounds.slice(1);
      prepare();
      return;
    }
    limits = sharing.halved(round, limits);
    // What stays is here already: only the others are fetched again.
    const [first] = sharing.plan(round, limits);
    rounds = [first, ...again([...wanted.slice(first.length), ...rest])];
    files = first.map(({ file }) => file);
    show();
  };

  // Once this phone has refused a number of files, it is known not to be the tap.
  const shrunk = () => limits !== sharing.LIMITS;

  // This page's own address asks who it is, and leads back here.
  const askToSignIn = () => {
    go.hidden = true;
    next.hidden = true;
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
    done = 0;
    apart = {};
    const large = wanted.filter(({ bytes }) => bytes > sharing.ALONE_BYTES);
    rounds = again(wanted.filter((want) => !large.includes(want)));
    problem.hidden = true;
    instead.hidden = true;
    instead.replaceChildren();
    hint.hidden = false;
    amounts.textContent = "";
    offerInstead("large", large);
    if (!sheet.open) sheet.showModal();
    prepare();
  };

  go.addEventListener("click", share);
  next.addEventListener("click", advance);

  sheet.addEventListener("close", () => {
    stop.abort(); // what is still on its way is not wanted any more
    files = [];
    rounds = [];
  });
  find("cancel").addEventListener("click", () => sheet.close());
  sheet.addEventListener("click", (event) => {
    if (event.target === sheet) sheet.close(); // beside the sheet
  });

  // Each once. A story that came by two lines has two files of each picture, and the page knows
  // which: address of a copy -> address of the first.
  const once = (wanted) => {
    const copies = JSON.parse(document.getElementById("job").dataset.copies || "{}");
    const seen = new Map();
    for (const want of wanted) {
      const first = copies[want.url] || want.url;
      if (!seen.has(first)) seen.set(first, want);
    }
    return [...seen.values()];
  };
  const wants = (nodes) =>
    once([...nodes].map(({ dataset }) => ({ url: dataset.share, bytes: Number(dataset.bytes) || 0 })));

  const SIGHTS = "a[data-view][data-share]";
  const marked = () => [...document.querySelectorAll(".pick:checked")];
  // By what the button stands for: of these tiles, else of what the server knows of.
  const chosen = {
    job: () => !document.querySelector("#job [data-fold]") && document.querySelectorAll(`#job ${SIGHTS}`),
    line: () => null,
    selected: () =>
      !marked().some(({ name }) => name === "line") &&
      marked().flatMap((box) => [...box.closest(".tile").querySelectorAll(SIGHTS)]),
    tile: (button) => button.closest(".tile").querySelectorAll(SIGHTS),
    one: (button) => [button],
  };
  // Whether a file is meant, by its story and its line.
  const meant = {
    job: () => () => true,
    tile: (button) => (story) => button.closest(".tile").id === `story-${story}`,
    line: (button) => (_, line) => line === Number(button.closest(".line").dataset.line),
    selected: () => {
      const of = (wanted) => new Set(marked().filter(({ name }) => name === wanted).map(({ value }) => value));
      const [stories, lines] = [of("story"), of("line")];
      return (story, line) => stories.has(story) || lines.has(String(line));
    },
  };

  // Of lines that show a part of their stories, or none, the server knows all files.
  const openKnown = async (isMeant) => {
    const came = await ask(document.getElementById("job").dataset.media);
    if (came.outcome !== "ok") {
      location.reload(); // a page says best what is wrong
      return;
    }
    const { files: all } = JSON.parse(await new Blob(came.body).text());
    const mine = all.filter(([, , story, line]) => isMeant(story, line));
    open(once(mine.map(([url, bytes]) => ({ url, bytes }))));
  };

  document.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest("[data-share-of]");
      if (button) {
        const { shareOf } = button.dataset;
        const nodes = chosen[shareOf](button);
        if (nodes && nodes.length) open(wants(nodes));
        else openKnown(meant[shareOf](button));
        return;
      }
      // In an installed app on iOS a download is a dead end without a way back.
      const link = event.target.closest("a[data-download], a[data-save]");
      if (!link || !root.classList.contains("installed")) return;
      event.preventDefault();
      open([{ url: link.href, bytes: Number(link.dataset.bytes) || 0 }]);
    },
    true,
  );
})();
