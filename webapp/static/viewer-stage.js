// The viewer's stage: one picture or video, its controls, and the segments above it.
"use strict";

(() => {
  const PARTS = 1000; // of the seek bar
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const saving = () => navigator.connection?.saveData === true;

  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds || 0));
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  };

  // `ended` is told when a video is over, `failed` of an address that could not be shown.
  const stage = (dialog, { ended, failed }) => {
    const find = (name) => dialog.querySelector(`[data-${name}]`);
    const [box, player, play, seek, time, mute] = ["stage", "player", "play", "seek", "time", "mute"].map(find);
    const [bars, problem, way, again] = ["segments", "problem", "way", "again"].map(find);
    const spoken = play.querySelector("[data-paused]");
    let shown = null; // what is on the stage: {address, …} and the node it is in
    let node = null;
    let ahead = null; // the one after it: {address, node}
    let quiet = false; // without sound: chosen, or all the browser allows before a tap
    let held = false; // a finger rests on it, and it goes on when that is lifted
    let segment = 0;

    const drop = (old) => {
      if (old.nodeName === "VIDEO") {
        old.pause();
        old.removeAttribute("src");
        old.load(); // lets go of the connection
      }
      old.remove();
    };

    const size = (made, width, height) => {
      if (width) made.classList.toggle("tall", height > 1.6 * width);
    };

    const make = ({ kind, address, poster, title, width, height }) => {
      const made = document.createElement(kind === "video" ? "video" : "img");
      if (kind === "video") {
        made.playsInline = true;
        made.preload = "metadata";
        // Behind the video: WebKit draws a poster twice as wide as high until it knows the video's size.
        if (poster) made.style.backgroundImage = `url(${JSON.stringify(poster)})`;
        made.setAttribute("aria-label", title);
      } else {
        made.alt = title;
        made.draggable = false;
      }
      made.classList.add("tall"); // as stories are, until more is known
      size(made, width, height);
      made.src = address;
      return made;
    };

    // --- what its controls say -------------------------------------------------------------------

    const bar = () => bars.children[segment];
    const length = () => (Number.isFinite(node?.duration) ? node.duration : shown?.duration_s) || 0;

    const tell = () => {
      if (node?.nodeName !== "VIDEO") return;
      const part = length() ? node.currentTime / length() : 0;
      const words = `${clock(node.currentTime)} / ${clock(length())}`;
      if (bar()) bar().value = part;
      seek.value = Math.round(PARTS * part);
      if (time.textContent !== words) {
        time.textContent = words;
        seek.setAttribute("aria-valuetext", words);
      }
    };

    // From frame to frame, or where nothing is to move, as often as the video says so.
    const follow = () => {
      tell();
      if (node?.nodeName === "VIDEO" && !node.paused && !still.matches) requestAnimationFrame(follow);
    };

    const describe = () => {
      if (node?.nodeName !== "VIDEO") return;
      play.classList.toggle("playing", !node.paused);
      spoken.textContent = node.paused ? spoken.dataset.paused : spoken.dataset.playing;
      mute.setAttribute("aria-pressed", node.muted);
      mute.hidden = shown.has_audio === false;
    };

    const start = async () => {
      const video = node;
      video.muted = quiet;
      try {
        await video.play();
      } catch (error) {
        if (video !== node || error?.name !== "NotAllowedError" || video.muted) return;
        video.muted = true; // sound needs a tap first: the button says that it is off
        video.play().catch(() => {});
      }
      describe();
    };

    const listen = (made) => {
      made.addEventListener("load", () => size(made, made.naturalWidth, made.naturalHeight));
      made.addEventListener("loadedmetadata", () => size(made, made.videoWidth, made.videoHeight));
      const mine = (act) => () => made === node && act();
      made.addEventListener("error", mine(() => failed(shown)), { once: true });
      if (made.nodeName !== "VIDEO") return;
      for (const name of ["play", "pause", "volumechange"]) made.addEventListener(name, mine(describe));
      for (const name of ["timeupdate", "loadedmetadata", "seeked"]) made.addEventListener(name, mine(tell));
      made.addEventListener("playing", () => made.style.removeProperty("background-image"));
      made.addEventListener("playing", mine(follow));
      made.addEventListener("ended", mine(ended));
      // Only while it keeps somebody waiting.
      made.addEventListener("waiting", mine(() => box.setAttribute("aria-busy", "true")));
      for (const name of ["playing", "pause", "error"]) {
        made.addEventListener(name, mine(() => box.removeAttribute("aria-busy")));
      }
    };

    // --- what others ask of it -------------------------------------------------------------------

    const clear = () => {
      if (node) drop(node);
      shown = null;
      node = null;
      box.removeAttribute("aria-busy");
      problem.hidden = true;
    };

    // The same address again, by an answer that knows more about it, plays on.
    const show = (media) => {
      if (shown?.address === media.address && node) {
        shown = media;
        (node.nodeName === "IMG" ? (node.alt = media.title) : node.setAttribute("aria-label", media.title));
        describe();
        tell();
        return;
      }
      clear();
      shown = media;
      const ready = ahead?.address === media.address && !ahead.node.error;
      node = ready ? ahead.node : make(media);
      if (!ready && ahead) drop(ahead.node);
      ahead = null;
      listen(node);
      box.prepend(node);
      const isVideo = node.nodeName === "VIDEO";
      player.hidden = !isVideo;
      if (isVideo) {
        describe();
        tell();
        start();
      } else if (node.complete && !node.naturalWidth) failed(shown); // it had failed ahead of time
    };

    // What comes next is asked for while this one is looked at.
    const prepare = (media) => {
      if (!media || saving() || ahead?.address === media.address || media.address === shown?.address) return;
      if (ahead) drop(ahead.node);
      ahead = { address: media.address, node: make(media) };
    };

    // `count` of them, the first `index` full; a picture fills its part of a carousel at once.
    const mark = (count, index, part) => {
      if (bars.children.length !== count) {
        bars.replaceChildren(
          ...Array.from({ length: count }, () => Object.assign(document.createElement("progress"), { max: 1, value: 0 })),
        );
      }
      segment = index;
      [...bars.children].forEach((one, place) => {
        one.value = place < index ? 1 : place > index ? 0 : part;
      });
    };

    const isVideo = () => node?.nodeName === "VIDEO";
    const toggle = () => {
      if (!isVideo()) return;
      if (node.paused) start();
      else node.pause();
    };
    const hold = () => {
      dialog.classList.add("held");
      held = isVideo() && !node.paused;
      if (held) node.pause();
    };
    const release = () => {
      dialog.classList.remove("held");
      if (held && isVideo()) start();
      held = false;
    };
    const silence = () => {
      if (!isVideo() || mute.hidden) return;
      quiet = !node.muted;
      node.muted = quiet;
    };

    // Why nothing is shown: "gone", "trouble" or "broken"; `page` leads to where it can be mended.
    const say = (reason, page = "") => {
      clear();
      player.hidden = true;
      problem.querySelector("p").textContent = problem.dataset[reason];
      way.hidden = reason !== "gone" || !page;
      if (page) way.href = page;
      again.hidden = reason !== "trouble";
      problem.hidden = false;
    };

    const end = () => {
      clear();
      if (ahead) drop(ahead.node);
      ahead = null;
      held = false;
      dialog.classList.remove("held");
      bars.replaceChildren();
    };

    play.addEventListener("click", toggle);
    mute.addEventListener("click", silence);
    seek.addEventListener("input", () => {
      if (isVideo() && length()) node.currentTime = (seek.value / PARTS) * length();
    });

    return { show, prepare, mark, say, toggle, hold, release, silence, end, isVideo };
  };

  window.storykeep.stage = stage;
})();
