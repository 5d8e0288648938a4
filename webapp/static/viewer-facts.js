// What the viewer tells of a story: whose it is, its caption, its clocks, and facts of the file.
"use strict";

(() => {
  const facts = (dialog) => {
    const find = (name) => dialog.querySelector(`[data-${name}]`);
    const all = (name) => dialog.querySelectorAll(`[data-${name}]`);
    const panel = find("facts");
    const source = find("more"); // a template: one more download
    const words = new Map([...all("copy")].map((button) => [button, button.querySelector("span").textContent]));
    let story = "";

    const text = (name, value) => {
      for (const node of all(name)) if (node.textContent !== value) node.textContent = value;
    };
    const isolated = (words) => Object.assign(document.createElement("bdi"), { textContent: words });
    const given = (name, value) => {
      for (const node of dialog.querySelectorAll(`[data-if="${name}"]`)) node.hidden = !value;
    };

    const moment = (name, value) => {
      for (const node of all(name)) {
        node.textContent = value ? value.words : "";
        node.dateTime = value ? value.at : "";
        if (node.dataset.as) node.toggleAttribute("data-when", Boolean(value));
        if (node.dataset.as && value) node.dataset.when = node.dataset.as;
      }
    };
    // One of the page's clocks, which tick by themselves.
    const count = (name, value) => {
      given(name, value);
      moment(name, value);
      for (const node of all(name)) {
        node.removeAttribute("data-over");
        node.toggleAttribute("data-clock", Boolean(value) && new Date(value.at) > Date.now());
        if (value && !node.hasAttribute("data-clock")) node.textContent = node.dataset.past;
      }
    };

    const face = (author) => {
      const [picture, letter] = ["face", "letter"].map(find);
      picture.hidden = !author.avatar;
      letter.hidden = Boolean(author.avatar);
      if (author.avatar) picture.src = author.avatar;
      else picture.removeAttribute("src");
      letter.textContent = author.letter;
    };

    const ring = (leaves) => {
      const drawn = dialog.querySelector("[data-avatar] .ring");
      if (leaves) drawn.dataset.ringUntil = leaves.at;
      else {
        drawn.removeAttribute("data-ring-until");
        drawn.setAttribute("class", "ring gone");
      }
    };

    const downloads = (links) => {
      for (const old of panel.querySelectorAll("[data-added]")) old.remove();
      source.after(
        ...links.map((link) => {
          const item = source.content.firstElementChild.cloneNode(true);
          const [anchor, size] = item.children;
          anchor.href = link.address;
          anchor.textContent = link.label;
          anchor.setAttribute("aria-label", link.aria_label);
          size.replaceChildren(isolated(link.size));
          item.dataset.added = "";
          return item;
        }),
      );
    };

    const labels = (list) => {
      find("labels").replaceChildren(
        ...list.map((label) => Object.assign(document.createElement("li"), { textContent: label })),
      );
    };

    const fill = (media, of, author) => {
      text("title", author.title);
      text("handle", author.handle);
      face(author);
      ring(of.leaves);
      moment("posted", of.posted);
      count("leaves", of.leaves);
      count("expires", of.expires);
      text("missing", of.missing);
      given("caption", of.caption);
      text("caption", of.caption);
      text("glance", of.caption);
      labels(media.labels);
      // Each on its own: "360 × 640" must not turn round in a page from right to left.
      find("file").replaceChildren(
        ...media.facts.flatMap((fact, place) => [place ? "\u00a0· " : "", isolated(fact)]),
      );
      text("checked", media.checked_words);
      // A name that takes two lines breaks before a part of it. What is copied is the name alone.
      find("name").replaceChildren(
        ...media.name.split(/(?=_)/).flatMap((part) => [document.createElement("wbr"), part]),
      );
      text("sum", media.sha256);
      downloads(media.more);
      given("source", of.source_url);
      if (of.source_url) find("source").href = of.source_url;
      find("delete").href = of.delete_url;
      for (const [button, first] of words) button.querySelector("span").textContent = first;
      // Of one story's next picture, one goes on reading where one was.
      if (story !== of.id) panel.scrollTop = 0;
      story = of.id;
      document.dispatchEvent(new Event("storykeep:fresh")); // clocks and rings are told the time
    };

    return { fill, panel };
  };

  window.storykeep.facts = facts;
})();
