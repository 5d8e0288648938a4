// The box on the home page: says what was typed, and what pressing the button will do.
"use strict";

(() => {
  const form = document.querySelector("form[data-composer]");
  if (!form) return;
  const box = form.querySelector("textarea");
  const button = form.querySelector("[data-submit]");
  const chips = form.querySelector("[data-chips]");
  const limit = Number(form.dataset.limit);
  const posts = form.querySelector("input[name=posts]");
  const language = document.documentElement.lang || "en";
  const plural = new Intl.PluralRules(language);
  const number = new Intl.NumberFormat(language);
  const CALM_MS = 700; // nobody is told that a word is wrong while it is being typed

  // Words come translated in data-one, data-other (… data-few) attributes with {} for the number.
  const say = (source, count) =>
    (source.getAttribute(`data-${plural.select(count)}`) || source.dataset.other).replace(
      "{}",
      number.format(count),
    );
  const wordsFor = (name) => form.querySelector(`template[data-words="${name}"]`);

  const signs = new Map();
  for (const one of form.querySelectorAll("template[data-sign]")) signs.set(one.dataset.sign, one);
  const showSigns = window.storykeep.gutter(box, signs);
  const attention = window.storykeep.attention(box, form.querySelector("[data-attention]"), {
    say,
    number,
    posts,
  });

  // A chip leads to the next line of its kind; the one about room leads nowhere.
  const chip = (name, count, tone, jump = () => attention.jump(name)) => {
    const node = document.createElement("li");
    const inner = document.createElement(jump ? "button" : "span");
    if (jump) {
      inner.type = "button";
      inner.addEventListener("click", jump);
    }
    inner.className = `chip ${tone}`;
    inner.textContent = say(wordsFor(name), count);
    node.append(inner);
    return node;
  };

  // What is already here, or on its way, is said before it is sent once more; how many that are.
  const known = new Map();
  for (const one of form.querySelectorAll("template[data-known]")) known.set(one.dataset.known, one);
  const reminders = form.querySelector("[data-known-list]");
  const SHOWN = 4;
  let reminded = "";
  const remind = (keys) => {
    const old = keys.filter((key) => known.has(key));
    const first = old.slice(0, SHOWN);
    if (first.join() !== reminded) {
      reminded = first.join();
      reminders.replaceChildren(...first.map((key) => known.get(key).content.cloneNode(true)));
      document.dispatchEvent(new Event("storykeep:fresh"));
    }
    return old.length;
  };

  // The first row that is one too many.
  const firstOver = ({ rows }) => {
    let count = 0;
    return rows.findIndex((lines) => {
      count += lines.filter(({ kind }) => kind !== "twice").length;
      return count > limit;
    });
  };

  // What will be saved, and nothing else: of accounts as many stories as they have.
  const promise = (counts, saved) => {
    if (counts.user + counts.short === 0) return say(wordsFor("save"), saved);
    return say(wordsFor(counts.user === saved ? "save-accounts" : "save-links"), saved);
  };

  let latest = null;
  let ready = false;
  const update = () => {
    const counts = window.storykeep.classify(box.value);
    latest = counts;
    const saved = counts.unique - (posts.checked ? 0 : counts.post);
    const shown = [];
    if (counts.user) shown.push(chip("user", counts.user, "good"));
    if (counts.story) shown.push(chip("story", counts.story, "good"));
    if (counts.short) shown.push(chip("short", counts.short, "good"));
    if (counts.post) shown.push(chip("post", counts.post, posts.checked ? "good" : "warn"));
    if (counts.twice) shown.push(chip("twice", counts.twice, ""));
    if (counts.bad) shown.push(chip("bad", counts.bad, "bad"));
    const lines = counts.unique + counts.bad;
    const over = lines - limit;
    const toOver = () => attention.select(firstOver(latest));
    if (over > 0) shown.push(chip("over", over, "bad", toOver));
    else if (lines > limit * 0.8) shown.push(chip("room", limit - lines, "warn", null));
    // Replaced only when it says something new, for those who have it read aloud.
    const text = (nodes) => [...nodes].map((node) => node.textContent).join();
    if (text(shown) !== text(chips.children)) chips.replaceChildren(...shown);
    chips.querySelectorAll(".chip").forEach((node, place) => {
      node.className = shown[place].firstChild.className;
    });
    showSigns(counts);
    attention.know(counts);
    const old = remind(counts.keys);
    button.textContent = saved ? promise(counts, saved) : button.dataset.none;
    if (saved && old === counts.unique) button.textContent = button.dataset.again;
    button.disabled = over > 0;
    ready = saved > 0 && saved === counts.unique && !counts.bad && over <= 0 && !old;
  };
  const updateAll = () => {
    clearTimeout(calm);
    update();
    attention.update(latest);
  };

  let waiting = 0;
  let calm = 0;
  const soon = () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(update);
    clearTimeout(calm);
    calm = setTimeout(() => attention.update(latest), CALM_MS);
  };
  box.addEventListener("input", soon);
  box.addEventListener("paste", () => requestAnimationFrame(() => requestAnimationFrame(updateAll)));
  posts.addEventListener("change", updateAll);
  updateAll();
  attention.takeOver(firstOver(latest));

  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (!button.disabled) form.requestSubmit(button);
  });

  const put = (text) => {
    const before = box.value.trimEnd();
    box.value = before && text ? `${before}\n${text}` : before || text;
    updateAll();
  };
  window.storykeep.takeFiles(form, put);
  window.storykeep.clipboard(form, { box, put, read: () => latest, canStart: () => ready });

  // Pressed twice, or held: sent once. It lets go by itself, for no event tells that someone pressed
  // Stop on a slow line; and not by `disabled`, for a page that comes back must have a working button.
  const HELD_MS = 5000;
  let letGo = 0;
  const release = () => {
    clearTimeout(letGo);
    letGo = 0;
  };
  // Kept in this tab until it has arrived (shell.js forgets it then): a browser that finds no
  // connection shows another page, and does not fill this box when one comes back to it.
  const UNSENT = "storykeep-unsent";
  const { user } = document.querySelector("script[data-user]").dataset;
  const FIELDS = ["text", "note", "prefer", "posts", "audio"];
  const keep = () => {
    try {
      const given = [...new FormData(form)].filter(([name]) => FIELDS.includes(name));
      sessionStorage.setItem(UNSENT, JSON.stringify({ user, given: Object.fromEntries(given) }));
    } catch {
      // full, or forbidden: then it is as without
    }
  };
  const restore = () => {
    try {
      const kept = JSON.parse(sessionStorage.getItem(UNSENT));
      if (!kept || kept.user !== user || (box.value && box.value !== kept.given.text)) return;
      for (const field of form.elements) {
        const value = kept.given[field.name];
        if (field.type === "checkbox" || field.type === "radio") {
          field.checked = value === field.value;
        } else if (FIELDS.includes(field.name)) {
          field.value = field.value || value || "";
        }
      }
      // It waits on until somebody changes it.
      form.addEventListener("input", () => sessionStorage.removeItem(UNSENT), { once: true });
    } catch {
      // as above
    }
  };

  form.addEventListener("submit", (event) => {
    if (letGo) {
      event.preventDefault();
      return;
    }
    letGo = setTimeout(release, HELD_MS);
    keep();
  });
  window.addEventListener("pageshow", () => {
    release();
    restore();
    updateAll();
  });
})();
