// Light or dark, like the rest of the site: the library that draws the page knows a class for it.
"use strict";

(() => {
  const root = document.documentElement;
  const night = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    const chosen = root.dataset.theme;
    root.classList.toggle("dark-mode", chosen ? chosen === "dark" : night.matches);
  };
  night.addEventListener("change", follow);
  follow();
})();
