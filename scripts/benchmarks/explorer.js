// What measures within the page: bench.visit(), bench.scroll(), bench.pan(), bench.frames() …

globalThis.bench = {
  seen: 0,
  canvas: () => document.querySelector(".graph-canvas"),

  isSettled: () => Boolean(document.querySelector("main h1")) && !document.querySelector("main .loading, main [aria-busy]"),

  /** Go to a page; ms until it has its content, and the browser has laid it out. */
  visit: (route) => new Promise((done) => {
    const began = performance.now();
    const marked = document.querySelector("main .view");
    marked?.setAttribute("data-old", "");
    if (location.hash === route) location.hash = "#/verify";
    location.hash = route;
    const look = () => {
      if (!document.querySelector("main [data-old]") && bench.isSettled()) done(performance.now() - began);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }),

  /** The time that 95 of 100 frames take at most, in ms, while `step` is called before each. */
  frames: (ms, step = () => {}) => new Promise((done) => {
    const [times, began] = [[], performance.now()];
    let last = began;
    const look = (now) => {
      times.push(now - last);
      bench.seen += 1;
      last = now;
      if (now - began > ms) {
        done(times.slice(1).sort((a, b) => a - b)[Math.floor((times.length - 1) * 0.95)]);
        return;
      }
      step((now - began) / ms);
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }),

  /** Scroll down and up. */
  scroll: (ms) => bench.frames(ms, (share) => {
    const room = document.documentElement.scrollHeight - innerHeight;
    scrollTo(0, room * (1 - Math.abs(2 * share - 1)));
  }),

  /** Move the graph down and up. */
  pan: (ms) => bench.frames(ms, (share) => {
    bench.canvas().dispatchEvent(new WheelEvent("wheel", { deltaY: share < 0.6 ? 90 : -90, cancelable: true }));
  }),

  slider: () => document.querySelector("#graph-time"),

  setSlider: (slider, value) => {
    slider.value = Math.floor(value);
    slider.dispatchEvent(new Event("input"));
  },

  /** Look for older events until there are so many; ms. */
  loadAll: (wanted) => new Promise((done) => {
    const began = performance.now();
    const slider = bench.slider();
    const look = () => {
      const loaded = Number(bench.canvas().dataset.events);
      if (loaded >= wanted || loaded >= Number(bench.canvas().dataset.total)) done(performance.now() - began);
      else {
        bench.setSlider(slider, slider.min);
        setTimeout(look, 20);
      }
    };
    look();
  }),
};
