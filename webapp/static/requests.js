// Every request a script of ours makes: it ends in time, and says in one word what came of it. A
// sign-in that ended looks like a lost line to a script that follows redirects, so none does.
"use strict";

(() => {
  const QUIET_MS = 20000; // nothing heard for so long is no line, whatever the browser still hopes
  const NOT_LET_IN = new Set([401, 403, 407, 511]);
  const GONE = new Set([404, 410]);

  // "ok"          what was asked for (2xx)
  // "unchanged"   304
  // "signed-out"  not let in: by us, or by a proxy in front, which may answer in any way it likes
  // "gone"        there is no such thing (any more)
  // "trouble"     the instance answers, but not with that: busy, restarting, broken
  // "offline"     no answer
  const judge = (answer) => {
    if (answer.type === "opaqueredirect" || NOT_LET_IN.has(answer.status)) return "signed-out";
    if (answer.status === 304) return "unchanged";
    if (answer.ok) return "ok";
    return GONE.has(answer.status) ? "gone" : "trouble";
  };

  // Resolves always: {outcome, answer, body, wait_ms}. `signal` ends it from outside, as "offline";
  // `heard` is told of every piece. A page where a file was wanted is somebody's sign-in page.
  // `keepalive`: it is sent even where the page goes meanwhile.
  const ask = async (
    url,
    { method = "GET", body, headers = {}, cache = "default", signal, heard, page = false, keepalive = false } = {},
  ) => {
    const stop = new AbortController();
    const end = () => stop.abort();
    let timer = 0;
    const patience = () => {
      clearTimeout(timer);
      timer = setTimeout(end, QUIET_MS);
    };
    if (signal) {
      if (signal.aborted) end();
      signal.addEventListener("abort", end);
    }
    patience();
    try {
      const answer = await fetch(url, {
        method,
        body,
        keepalive,
        headers,
        cache,
        credentials: "same-origin",
        redirect: "manual",
        signal: stop.signal,
      });
      const isPage = (answer.headers.get("Content-Type") || "").startsWith("text/html");
      let outcome = judge(answer);
      if (outcome === "ok" && isPage !== page) outcome = "signed-out";
      const wait_ms = 1000 * (Number(answer.headers.get("Retry-After")) || 0);
      if (outcome !== "ok" || !answer.body) {
        if (answer.body) end(); // nobody reads it
        return { outcome, answer, wait_ms };
      }
      const reader = answer.body.getReader();
      const parts = [];
      for (;;) {
        patience();
        const { done, value } = await reader.read();
        if (done) break;
        parts.push(value);
        if (heard) heard(value.length);
      }
      return { outcome, answer, wait_ms, body: parts };
    } catch {
      return { outcome: "offline", wait_ms: 0 };
    } finally {
      clearTimeout(timer);
      if (signal) signal.removeEventListener("abort", end);
    }
  };

  // A whole page is what a sign-in can stand in front of, so the page is loaded anew: once. Where
  // the page comes and its requests are refused all the same, the caller has to say it in words.
  const LED = "storykeep-led";
  const SETTLED_MS = 60000;
  const read = () => JSON.parse(sessionStorage.getItem(LED)) || {};
  const lead = () => {
    try {
      const led = read();
      if (led[location.pathname]) return false;
      led[location.pathname] = Date.now();
      sessionStorage.setItem(LED, JSON.stringify(led));
    } catch {
      return false; // without a memory it could go on for ever
    }
    location.reload();
    return true;
  };
  // A request was answered. Not at once, or a door that opens and shuts would load the page each time.
  const letIn = () => {
    try {
      const led = read();
      if (!(Date.now() - led[location.pathname] > SETTLED_MS)) return;
      delete led[location.pathname];
      sessionStorage.setItem(LED, JSON.stringify(led));
    } catch {
      // no storage, so nothing to forget
    }
  };

  window.storykeep = Object.assign(window.storykeep || {}, { ask, lead, letIn });
})();
