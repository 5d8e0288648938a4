// Passkey buttons, shown only where the browser can do it: over https or on this very machine.
"use strict";

(() => {
  const able = window.isSecureContext && "PublicKeyCredential" in window;
  for (const part of document.querySelectorAll("[data-passkey]")) part.hidden = !able;
  for (const part of document.querySelectorAll("[data-no-passkey]")) part.hidden = able;
  const trouble = document.querySelector("[data-passkey-trouble]");
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    if (trouble) trouble.hidden = false;
  });
})();
