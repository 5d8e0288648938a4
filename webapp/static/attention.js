// Below the box: which lines will not be saved and why, and the way to each; and the chips' jumps.
"use strict";

(() => {
  const SHOWN = 5;
  const MAX_HOST = 60;

  // What a refused link is, in the page's words (REFUSAL_WORDS); "" for a line that is no link.
  const nameRefusal = ({ why = "", host }, said) => {
    const words = said[why] || said[why.split(":")[0]] || "";
    const isOwn = why.includes(":") && Boolean(said[why]);
    return host && words && !isOwn ? `${words} (${host.slice(0, MAX_HOST)})` : words;
  };

  // Where each row of a text begins and ends.
  const spans = (text) => {
    let start = 0;
    return text.split("\n").map((row) => {
      const span = [start, start + row.length];
      start = span[1] + 1;
      return span;
    });
  };

  const attention = (box, place, { say, number, posts }) => {
    const said = JSON.parse(document.getElementById("refusals").textContent);
    const list = place.querySelector("ul");
    const words = place.dataset;
    const head = place.querySelector("[data-head]");
    const all = place.querySelector("[data-remove-all]");
    let latest = { rows: [] };

    const select = (row) => {
      const span = spans(box.value)[row];
      if (!span) return;
      box.focus();
      box.setSelectionRange(...span);
      // A browser shows what is selected only once it is typed at: the row is brought in by hand.
      const line = box.scrollHeight / box.value.split("\n").length;
      box.scrollTop = Math.max(0, line * row - box.clientHeight / 2);
    };

    // The next row after the caret in which a line is of that kind; from the top again at the end.
    const jump = (kind, isIt = (line) => line.kind === kind) => {
      const rows = latest.rows.flatMap((lines, row) => (lines.some(isIt) ? [row] : []));
      const caret = spans(box.value).findIndex(([, end]) => box.selectionEnd <= end);
      const isHere = document.activeElement === box || box.selectionEnd !== box.selectionStart;
      const next = rows.find((row) => row > caret) ?? rows[0];
      select(isHere ? next : rows[0]);
    };

    // Whether a line is one of these or says the same again: it is named once.
    const among = (lines) => {
      const texts = new Set(lines.map(({ line }) => line));
      const keys = new Set(lines.map(({ verdict }) => verdict.key).filter(Boolean));
      return ({ line, verdict }) => texts.has(line) || keys.has(verdict.key);
    };

    // Without those lines; what else stands in their rows stays.
    const remove = (isOut) => {
      const rows = box.value.split("\n");
      const kept = rows.flatMap((row, at) => {
        const lines = latest.rows[at] || [];
        const isKept = (line) => !isOut(line);
        if (lines.every(isKept)) return [row];
        return lines.filter(isKept).map(({ line }) => line);
      });
      box.value = kept.join("\n");
      box.dispatchEvent(new Event("input", { bubbles: true }));
      update(window.storykeep.classify(box.value));
    };

    const button = (text, act) => {
      const node = document.createElement("button");
      node.type = "button";
      node.className = "button plain";
      node.textContent = text;
      node.addEventListener("click", act);
      return node;
    };

    const entry = ({ line, row, place: own }) => {
      const node = document.createElement("li");
      const go = button(words.line.replace("{}", number.format(row + 1)), () => select(row));
      go.className = "link";
      const typed = document.createElement("bdi");
      typed.className = "typed";
      typed.textContent = line.line;
      const why = document.createElement("span");
      const refused = nameRefusal(line.verdict, said);
      if (line.kind === "post") why.textContent = words.post;
      else why.textContent = refused ? words.refused.replace("{}", () => refused) : words.unknown;
      const what = document.createElement("p");
      what.append(go, " ", typed, document.createElement("br"), why);
      what.id = `skipped-${row}-${own}`;
      const acts = document.createElement("div");
      acts.className = "buttons";
      if (line.kind === "post") acts.append(button(words.keep, () => posts.click()));
      const out = button(words.remove, () => {
        const at = [...list.children].indexOf(node);
        remove(among([line]));
        const next = list.children[Math.min(at, list.children.length - 1)];
        (next ? next.querySelector(".buttons .button:last-child") : box).focus();
      });
      out.setAttribute("aria-label", `${words.remove}: ${line.line}`);
      acts.append(out);
      node.append(what, acts);
      return node;
    };

    const isOut = (line) => line.kind === "bad" || (line.kind === "post" && !posts.checked);
    const skipped = () =>
      latest.rows.flatMap((lines, row) =>
        lines.map((line, own) => ({ line, row, place: own })).filter(({ line }) => isOut(line)),
      );

    let shown = "";
    const update = (counts) => {
      latest = counts;
      const out = skipped();
      const text = JSON.stringify(out.map(({ line, row, place: own }) => [row, own, line.line, line.kind]));
      if (text === shown) return;
      shown = text;
      place.hidden = !out.length;
      head.textContent = out.length ? say(place, out.length) : "";
      all.hidden = out.length < 2;
      list.replaceChildren(...(out.length === SHOWN + 1 ? out : out.slice(0, SHOWN)).map(entry));
      describe();
    };

    // What the server says of a line that is named here, or that a chip leads to, is said here alone:
    // here it can be removed. It stays in what a screen reader says of the box.
    const told = box.getAttribute("aria-describedby").split(" ");
    let isTaken = false;
    const describe = () => {
      if (!isTaken) return;
      const here = [...list.querySelectorAll("p")].map(({ id }) => id);
      box.setAttribute("aria-describedby", [...told.slice(0, -1), ...here, ...told.slice(-1)].join(" "));
    };
    // overRow: the first row that is one too many; -1 for none.
    const takeOver = (overRow) => {
      const marked = document.querySelector("#problem .marked");
      if (!marked) return;
      const out = new Set(skipped().map(({ row }) => row));
      const rows = marked.dataset.rows.split(",").map((number) => Number(number) - 1);
      [...marked.children].forEach((node, place) => {
        if (out.has(rows[place]) || (overRow >= 0 && rows[place] === overRow)) node.remove();
      });
      if (!marked.children.length) marked.remove();
      isTaken = true;
      describe();
    };

    all.addEventListener("click", () => {
      remove(among(skipped().map(({ line }) => line)));
      box.focus();
    });
    const know = (counts) => {
      latest = counts; // what a jump goes by is always what stands in the box
    };
    return { update, know, jump, select, takeOver };
  };

  window.storykeep = Object.assign(window.storykeep || {}, { attention, nameRefusal });
})();
