// A finger on the viewer's stage: tap, hold and swipe. A mouse has arrows; its click plays and pauses.
"use strict";

(() => {
  const HOLD_MS = 260;
  const STILL_PX = 10; // a finger that rests moves that much
  const SWIPE_PX = 48;

  // `acts`: {tap(side), hold, release, swipe(way), click}; side and way: "left", "right", "up", "down".
  const gestures = (box, acts) => {
    let finger = null; // {id, x, y, began, holding, timer}
    let kind = "mouse"; // of the last pointer: not every browser's click says what made it
    const zoomed = () => (window.visualViewport?.scale || 1) > 1.01;

    const noHold = () => {
      clearTimeout(finger.timer);
      if (finger.holding) acts.release();
      finger.holding = false;
    };
    const letGo = () => {
      if (finger) noHold();
      finger = null;
    };
    // By the events' own clock: where the page is busy, they are told of after the timer.
    const quick = (event) => event.timeStamp - finger.began < HOLD_MS;

    box.addEventListener("pointerdown", (event) => {
      kind = event.pointerType;
      if (kind === "mouse" || event.target.closest("button, a, input")) return;
      const second = finger !== null;
      letGo();
      if (second || zoomed() || !event.isPrimary) return; // two fingers zoom, and one pans then
      const { pointerId: id, clientX: x, clientY: y, timeStamp: began } = event;
      const mine = { id, x, y, began, holding: false };
      mine.timer = setTimeout(() => {
        mine.holding = true;
        acts.hold();
      }, HOLD_MS);
      finger = mine;
    });

    box.addEventListener("pointermove", (event) => {
      if (!finger || event.pointerId !== finger.id) return;
      if (finger.holding && !quick(event)) return;
      const far = Math.hypot(event.clientX - finger.x, event.clientY - finger.y);
      if (far > STILL_PX) noHold();
    });

    box.addEventListener("pointerup", (event) => {
      if (!finger || event.pointerId !== finger.id) return;
      const { x, y } = finger;
      const held = finger.holding && !quick(event);
      letGo();
      if (held) return;
      const across = event.clientX - x;
      const down = event.clientY - y;
      if (Math.hypot(across, down) <= STILL_PX) {
        const { left, width } = box.getBoundingClientRect();
        acts.tap(x < left + width / 2 ? "left" : "right");
      } else if (Math.abs(across) > SWIPE_PX && Math.abs(across) > 1.5 * Math.abs(down)) {
        acts.swipe(across < 0 ? "left" : "right");
      } else if (Math.abs(down) > SWIPE_PX && Math.abs(down) > 1.5 * Math.abs(across)) {
        acts.swipe(down < 0 ? "up" : "down");
      }
    });

    box.addEventListener("pointercancel", letGo);
    box.addEventListener("click", (event) => {
      if (kind === "mouse" && !event.target.closest("button, a, input")) acts.click();
    });
    // A long press on a video is ours; on a picture the browser offers to save it.
    box.addEventListener("contextmenu", (event) => {
      if (finger && event.target.nodeName === "VIDEO") event.preventDefault();
    });
  };

  window.storykeep.gestures = gestures;
})();
