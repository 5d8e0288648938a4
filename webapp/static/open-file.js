// A list from a file, read here and sent nowhere: text as it is, of a table the names and links.
"use strict";

(() => {
  const MAX_BYTES = 1_000_000;
  const MAX_LINES = 2000;
  const HEADS =
    /^(?:tik ?tok|@?(?:user|handle|account|creator|profile?|name|nick|link|url|konto|nutzer|cuenta|usuario|compte|utilisateur|nom|nombre)(?:[ _-]?(?:names?|handles?|urls?|links?|ids?))?s?)$/i;

  const decode = (bytes) => {
    const [first, second] = bytes;
    if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
    if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(bytes);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      return new TextDecoder("windows-1252").decode(bytes);
    }
  };

  // The rows of a table, as lists of cells. A quoted cell may hold marks, quotes and line ends; a quote
  // that ends elsewhere, or nowhere, is a letter, so that a stray one does not swallow what follows.
  const cellsOf = (text) => {
    const head = text.slice(0, 4000);
    const many = (mark) => head.split(mark).length;
    const mark = [",", ";", "\t"].reduce((best, one) => (many(one) > many(best) ? one : best));
    const rows = [[]];
    const cell = new RegExp(`(?:"((?:[^"]|"")*)" *(?=[${mark}\\n\\r]|$)|([^\\n\\r${mark}]*))(${mark}|\\r\\n|\\n|\\r|$)`, "gy");
    for (let found = cell.exec(text); found; found = cell.exec(text)) {
      const [, quoted, plain, end] = found;
      rows.at(-1).push((quoted === undefined ? plain || "" : quoted.replaceAll('""', '"')).trim());
      if (cell.lastIndex >= text.length) break;
      if (end !== mark) rows.push([]);
    }
    return rows;
  };

  // Links and @names from any column; where there are none, the column that is called as names are.
  const fromTable = (text) => {
    const { parseLine } = window.storykeep;
    const rows = cellsOf(text);
    const seen = new Set();
    const fresh = (cell) => {
      const { key } = cell ? parseLine(cell) : {};
      if (!key || seen.has(key)) return false;
      seen.add(key);
      return true;
    };
    const marked = rows.flat().filter((cell) => /[@/]/.test(cell) && fresh(cell));
    if (marked.length) return marked;
    const wide = rows.some((row) => row.length > 1);
    const column = wide ? rows[0].findIndex((cell) => HEADS.test(cell)) : 0;
    if (column < 0) return [];
    const skip = HEADS.test(rows[0][column]) ? 1 : 0;
    return rows.slice(skip).map((row) => row[column]).filter(fresh);
  };

  // {lines, trouble}; trouble: "", "large", "binary" or "nothing".
  const readList = async (file) => {
    if (file.size > MAX_BYTES) return { lines: [], trouble: "large" };
    const text = decode(new Uint8Array(await file.arrayBuffer())).replace(/^\ufeff/, "");
    if (text.includes("\0")) return { lines: [], trouble: "binary" };
    const isTable = /\.(?:csv|tsv)$/i.test(file.name) || file.type === "text/csv";
    const lines = isTable ? fromTable(text) : text.split(/\r\n|\n|\r/).filter((row) => row.trim());
    return { lines: lines.slice(0, MAX_LINES), trouble: lines.length ? "" : "nothing" };
  };

  // A file that is dropped anywhere on the page, or chosen, goes into the box below what is there.
  const takeFiles = (form, put) => {
    const button = form.querySelector("[data-open]");
    const input = form.querySelector("[data-file]");
    const said = form.querySelector("[data-file-said]");
    const words = said.dataset;

    const take = async (files) => {
      const told = [];
      for (const file of files) {
        const { lines, trouble } = await readList(file).catch(() => ({ lines: [], trouble: "binary" }));
        if (trouble) told.push(words[trouble].replace("{}", () => file.name));
        else put(lines.join("\n"));
      }
      said.textContent = told.join(" ");
    };

    button.hidden = false;
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", async () => {
      await take([...input.files]);
      input.value = ""; // the same file may be chosen once more
    });
    const hasFiles = (event) => event.dataTransfer && event.dataTransfer.types.includes("Files");
    const over = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      form.classList.toggle("dropping", event.type === "dragover");
    };
    document.addEventListener("dragover", over);
    document.addEventListener("dragleave", over);
    document.addEventListener("drop", (event) => {
      over(event);
      if (hasFiles(event)) take([...event.dataTransfer.files]);
    });
  };

  window.storykeep = Object.assign(window.storykeep || {}, { readList, takeFiles });
})();
