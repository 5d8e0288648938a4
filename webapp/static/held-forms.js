// A form that a sign-in in front of us leads to another origin is held back by our own policy, which
// lets forms go to this origin alone, and the browser says nothing. This page, asked for anew, is led
// there instead; nothing was sent.
"use strict";

document.addEventListener("securitypolicyviolation", (event) => {
  if (event.effectiveDirective === "form-action") location.assign(location.pathname + location.search);
});
