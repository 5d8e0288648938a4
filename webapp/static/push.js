// Push messages to this device: asked for in a tap, never by itself, also where the browser has said yes
// before: somebody else may have signed in since.
"use strict";

(() => {
  const box = document.querySelector("[data-push]");
  if (!box) return;
  const part = (name) => box.querySelector(`[data-push-${name}]`);
  const show = (...names) => {
    for (const name of ["on", "is-on", "denied", "home", "none", "failed"]) part(name).hidden = !names.includes(name);
  };

  const isAble = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
  if (!isAble) {
    // On an iPhone a page in Safari is not, and the same page from the home screen is.
    show("standalone" in navigator && !navigator.standalone ? "home" : "none");
    return;
  }

  const key = Uint8Array.from(
    atob(box.dataset.pushKey.replace(/-/g, "+").replace(/_/g, "/")),
    (letter) => letter.codePointAt(0),
  );
  const isOurs = (subscription) => {
    const theirs = subscription.options?.applicationServerKey;
    if (!theirs) return true; // a browser that does not say
    const bytes = new Uint8Array(theirs);
    return bytes.length === key.length && bytes.every((byte, place) => byte === key[place]);
  };

  // Where no service worker may be, as in private windows, it is never ready.
  const PATIENCE_MS = 10000;
  const manager = async () => {
    const late = new Promise((_, reject) => setTimeout(reject, PATIENCE_MS, new Error("late")));
    return (await Promise.race([navigator.serviceWorker.ready, late])).pushManager;
  };

  const tell = async (subscription) => {
    const { outcome } = await storykeep.ask(box.dataset.push, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]")?.value || "",
      },
      body: JSON.stringify({ ...subscription.toJSON(), server_key: box.dataset.pushKey }),
    });
    return outcome === "ok";
  };

  const begin = async () => {
    const pushes = await manager();
    const old = await pushes.getSubscription();
    if (old && !isOurs(old)) await old.unsubscribe();
    return pushes.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  };

  const turnOn = async () => {
    const button = part("on");
    button.disabled = true;
    try {
      if ((await Notification.requestPermission()) !== "granted") {
        show(Notification.permission === "denied" ? "denied" : "on");
        return;
      }
      if (!(await tell(await begin()))) throw new Error("not kept");
      location.reload(); // the list of devices has it
    } catch {
      show("on", "failed");
    } finally {
      button.disabled = false;
    }
  };

  const look = async () => {
    if (Notification.permission === "denied") {
      show("denied");
      return;
    }
    show("on");
    if (Notification.permission !== "granted" || box.dataset.pushHere === undefined) return;
    const known = await (await manager()).getSubscription();
    if (known && isOurs(known)) show("is-on");
  };

  part("on").addEventListener("click", turnOn);
  look().catch(() => {}); // it can be turned on all the same
})();
