// Which files a phone is handed at once, and how much that is in words. Pure: sizes in, rounds out.
"use strict";

(() => {
  // Chrome on Android refuses an eleventh file, and more than 50 MiB; iPhones take more, and nothing
  // tells the two apart that lasts.
  const LIMITS = { files: 10, bytes: 50 * 1024 * 1024 };
  const ALONE_BYTES = 250e6; // phones give up at 256 MB: more is for a download

  // [{bytes}, …] in rounds within the limits, in their order. A file over the limit has a round of
  // its own: some phones take it.
  const plan = (wanted, limits = LIMITS) => {
    const rounds = [];
    let bytes = 0;
    for (const want of wanted) {
      const round = rounds[rounds.length - 1];
      if (round && round.length < limits.files && bytes + want.bytes <= limits.bytes) {
        round.push(want);
        bytes += want.bytes;
      } else {
        rounds.push([want]);
        bytes = want.bytes;
      }
    }
    return rounds;
  };

  // The limits after a round was refused: half as many at once.
  const halved = (round, limits) => ({ ...limits, files: Math.max(1, Math.floor(round.length / 2)) });

  // How many of the files, from the first on, a phone says it would take; 0 for not even that one.
  const taken = (files, takes) => {
    let count = files.length;
    while (count && !takes(files.slice(0, count))) count = Math.floor(count / 2);
    return count;
  };

  // As the server says it on every button: `226 kB`, `8.4 MB`. The same as in jobs/wording.py.
  const size = (bytes, units, language) => {
    let value = bytes;
    let step = 0;
    while (value >= 999.5 && step < units.length - 1) {
      value /= 1000;
      step += 1;
    }
    const places = step > 1 && value < 100 ? 1 : 0;
    const format = new Intl.NumberFormat(language, {
      minimumFractionDigits: places,
      maximumFractionDigits: places,
    });
    return `${format.format(value)}\u00a0${units[step]}`;
  };

  const sharing = { LIMITS, ALONE_BYTES, plan, halved, taken, size };
  window.storykeep = Object.assign(window.storykeep || {}, { sharing });
})();
