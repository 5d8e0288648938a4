// Times in the reader's own zone, and clocks that tick.
"use strict";

(() => {
  const script = document.currentScript.src;
  // The page's language in the reader's own flavour: "en" alone would mean American clocks.
  const page = document.documentElement.lang || "en";
  const language =
    navigator.languages.find((one) => one.split("-")[0] === page.split("-")[0]) || page;
  // "4:28 AM" does not break before its half of the day.
  const dateFormat = (options) => {
    const { format } = new Intl.DateTimeFormat(language, options);
    return { format: (moment) => format(moment).replace(/\s(?=[ap]\.?\s?m\b)/giu, "\u00a0") };
  };
  const styles = {
    time: dateFormat({ hour: "numeric", minute: "2-digit" }),
    day: dateFormat({ weekday: "long", day: "numeric", month: "long" }),
  };
  const full = { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" };
  const [short, long] = [full, { year: "numeric", ...full }].map(dateFormat);
  // With the year where it is another one.
  styles["day-time"] = {
    format: (moment) =>
      (moment.getFullYear() === new Date().getFullYear() ? short : long).format(moment),
  };
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  styles.ago = {
    format: (moment) => {
      const minutes = Math.round((moment - Date.now()) / 60000);
      return Math.abs(minutes) < 60
        ? relative.format(minutes, "minute")
        : relative.format(Math.round(minutes / 60), "hour");
    },
  };
  const dayOf = (moment) => Math.floor(moment / 864e5 - moment.getTimezoneOffset() / 1440);
  // The time alone when it is today; else which day, as short as that can be said.
  styles.near = {
    format: (moment) => {
      const days = dayOf(moment) - dayOf(new Date());
      if (Math.abs(days) > 1) return styles["day-time"].format(moment);
      const time = styles.time.format(moment);
      return days ? `${relative.format(days, "day")} ${time}` : time;
    },
  };
  const initial = new Intl.DateTimeFormat(page, { weekday: "short" });
  styles.initial = { format: (moment) => initial.format(moment).slice(0, 1).toUpperCase() };
  // As near, but the name of a day within the week.
  const weekday = dateFormat({ weekday: "long" });
  styles.weekday = {
    format: (moment) => {
      const days = dayOf(moment) - dayOf(new Date());
      return days > 1 && days < 7 ? weekday.format(moment) : styles.near.format(moment);
    },
  };
  const SOON_S = 30 * 60;
  const LAST_S = 5 * 60;
  // A story's last day, and where its ring turns amber and red; the same as in templatetags/rings.py.
  const DAY_S = 24 * 3600;
  const RING_S = { last: 3600, soon: 6 * 3600, fresh: Infinity };
  const stateOf = (seconds) =>
    seconds > 0 ? Object.keys(RING_S).find((name) => seconds < RING_S[name]) : "gone";

  const unit = (name) => {
    const format = new Intl.NumberFormat(language, {
      style: "unit",
      unit: name,
      unitDisplay: "narrow",
    });
    // German has "34 Min." and "24 Sek.": a full stop that the sentence around it would have twice.
    return (value) =>
      format
        .format(value)
        .replace(/^(\d+)([a-z]+)$/, "$1\u00a0$2")
        .replace(/Min\.$/, "min")
        .replace(/Sek\.$/, "s")
        .replaceAll(" ", "\u00a0");
  };
  const units = { d: unit("day"), h: unit("hour"), m: unit("minute"), s: unit("second") };

  // `5 h 12 m`, `3 m`, and seconds only when little is left.
  const left = (seconds) => {
    if (seconds < 60) return units.s(Math.max(0, seconds));
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return units.m(minutes);
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return `${units.h(hours)}\u00a0${units.m(minutes % 60)}`;
    return `${units.d(Math.floor(hours / 24))}\u00a0${units.h(hours % 24)}`;
  };

  // A name for the ear holds the time its story was posted at as the server says it (`from`), which
  // may be "16:28" where everything around it says "4:28 PM". It comes last: a name may hold another.
  const timely = (name, from, at) => {
    const place = name.lastIndexOf(from);
    if (place < 0) return name;
    return name.slice(0, place) + styles.time.format(new Date(at)) + name.slice(place + from.length);
  };
  const NAMED = ["aria-label", "alt", "data-title"];
  const SPOKEN = `[aria-label], [alt]:not([alt=""]), [data-title], .none, .visually-hidden`;
  const told = new WeakMap(); // element → what this script made of its names
  const say = () => {
    for (const holder of document.querySelectorAll("[data-spoken]")) {
      const { spoken, spokenAt } = holder.dataset;
      for (const node of holder.querySelectorAll(SPOKEN)) {
        const done = told.get(node) || {};
        told.set(node, done);
        const names = node.classList.contains("none") ? ["title"] : NAMED;
        for (const name of names.filter((one) => node.hasAttribute(one))) {
          const now = node.getAttribute(name);
          if (now !== done[name]) node.setAttribute(name, (done[name] = timely(now, spoken, spokenAt)));
        }
        if (!node.matches(".visually-hidden") || node.childElementCount) continue;
        const now = node.textContent;
        if (now !== done.text) node.textContent = done.text = timely(now, spoken, spokenAt);
      }
    }
  };

  const set = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };

  const show = () => {
    const now = Date.now();
    let ended = false;
    for (const node of document.querySelectorAll("time[data-when]")) {
      const moment = new Date(node.dateTime);
      const { when, since } = node.dataset;
      const alone = since && dayOf(moment) === dayOf(new Date(since));
      set(node, styles[alone ? "time" : when].format(moment));
    }
    for (const node of document.querySelectorAll("time[data-clock]")) {
      const moment = new Date(node.dateTime);
      const seconds = Math.ceil((moment - now) / 1000);
      if (seconds <= 0) {
        ended = ended || !node.hasAttribute("data-over");
        node.setAttribute("data-over", "");
        set(node, node.dataset.past);
      } else {
        set(node, node.dataset.ahead.replace("{}", left(seconds)));
        const [soon, last] = node.dataset.clock ? [RING_S.soon, RING_S.last] : [SOON_S, LAST_S];
        node.classList.toggle("soon", seconds < soon);
        node.classList.toggle("last", seconds < last);
        const badge = node.closest(".leaves");
        const look = `badge leaves ${stateOf(seconds)}`;
        if (badge && badge.className !== look) badge.className = look;
      }
      node.title = styles["day-time"].format(moment);
    }
    for (const ring of document.querySelectorAll("svg[data-ring-until]")) {
      const seconds = Math.max(0, (new Date(ring.dataset.ringUntil) - now) / 1000);
      const state = stateOf(seconds);
      const arc = `${Math.min(100, Math.ceil((100 * seconds) / DAY_S))} 100`;
      const circle = ring.lastElementChild;
      if (circle.getAttribute("stroke-dasharray") !== arc) circle.setAttribute("stroke-dasharray", arc);
      if (!ring.classList.contains(state)) ring.setAttribute("class", `ring ${state}`);
    }
    if (ended) document.dispatchEvent(new Event("storykeep:over"));
  };

  // So that the next page knows where this reader's days begin.
  const zone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone || "");
  if (zone && !document.cookie.split("; ").includes(`zone=${zone}`)) {
    // For this site alone, which may lie below a path of a host with others; so does this script.
    const home = new URL("..", script).pathname.replace(/(.)\/$/, "$1");
    document.cookie = `zone=${zone}; path=${home}; max-age=31536000; samesite=lax`;
  }

  window.storykeep = Object.assign(window.storykeep || {}, { timely });
  const fresh = () => {
    show();
    say();
  };
  document.addEventListener("storykeep:fresh", fresh);
  fresh();
  setInterval(() => {
    if (!document.hidden) show();
  }, 1000);
})();
