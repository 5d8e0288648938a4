// Push messages to this device: asked for in a tap, never by itself. A browser that has a subscription
// which the server lost, or one made for another key, is brought in line without asking again.
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

  const manager = async () => (await navigator.serviceWorker.ready).pushManager;

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
    const known = await (await manager()).getSubscription();
    if (known && isOurs(known) && Notification.permission === "granted" && box.dataset.pushHere !== undefined) {
      show("is-on");
    } else {
      show("on");
    }
  };

  part("on").addEventListener("click", turnOn);
  look().catch(() => show("on"));
})();
