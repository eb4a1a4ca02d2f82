/* The element <kmc-image>, which shows a KMC file as <img> shows others. It is joined to decoder.js; the module is
   its own worker, too, in which large pictures are decoded. */

const WORKER = "kmc-image"; // the name by which a worker knows what it is for
const LARGE = 2 ** 20; // pixels; what is larger is decoded in a worker
const MAX_PIXELS = 2 ** 26; // unless the attribute `maxpixels` says otherwise
const MAX_SIDE = 32767; // of a canvas, in all browsers
const MAX_KEPT = 2 ** 22; // pixels of all frames that are kept; those of longer animations are decoded in each round
const SHORT = 10; // browsers show a frame of a GIF that says 10 ms or less for 100 ms, and so do we
const BUSY = 12; // ms for which the page waits at a time, or as long as one picture takes
const LATE = 1000; // ms after which an animation does not catch up any more

// A box of contained size that has a ratio is laid out as an <img> is: by its own size, by a width or a height
// alone, within a maximum. `object-fit` and `object-position` work as there.
const STYLE = `
  :host { contain: size; display: inline-block; min-height: 0; min-width: 0; overflow: clip; width: fit-content }
  :host([hidden]) { display: none }
  canvas { display: block; height: 100%; object-fit: inherit; object-position: inherit; width: 100% }
  div { border: 1px solid; font: 13px/1.4 system-ui, sans-serif; overflow-wrap: anywhere; padding: 4px 8px }
`;

// --- Decoding -------------------------------------------------------------------------------------

let turns = globalThis.navigator?.hardwareConcurrency ?? 2; // how many more workers may decode now
const waiting = [];

async function inTurn(job) {
  while (!turns) await new Promise((resolve) => waiting.push(resolve));
  turns--;
  try {
    return await job();
  } finally {
    turns++;
    waiting.shift()?.();
  }
}

async function decoded(picture, frame) {
  return toImageData(picture, await picture.labels(frame));
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let last = Promise.resolve(); // what was decoded last outside of workers
let rested = 0; // when the page could last do something else

// Decode one picture after the other, so that what is decoded is seen soon, and the page stays alive.
function inLine(job) {
  const done = last.then(job);
  last = done.catch(() => {}).then(async () => {
    if (performance.now() - rested > BUSY) rested = await wait(0).then(() => performance.now());
  });
  return done;
}

// Be the worker of one picture: the first message brings the file, and each the number of a frame to send back.
function serve() {
  let picture;
  onmessage = async ({ data: { frame, file, options } }) => {
    try {
      picture ??= open(file, options);
      const image = await decoded(await picture, frame);
      postMessage({ image }, [image.data.buffer]);
    } catch ({ message, rule }) {
      postMessage({ message, rule });
    }
  };
}

// The frames of a picture, one decoded after the other.
class Film {
  #last = Promise.resolve();
  #kept = [];
  #worker;
  #end;

  constructor(picture, file, options) {
    Object.assign(this, { picture, file, options });
    const pixels = picture.width * picture.height;
    this.count = picture.durations.length || 1;
    this.large = pixels > LARGE;
    this.keeps = this.count > 1 && pixels * this.count <= MAX_KEPT;
  }

  frame(number) {
    if (this.#kept[number]) return this.#kept[number];
    const image = this.#last.then(() => this.#decode(number));
    if (this.keeps) this.#kept[number] = image;
    this.#last = image.catch(() => delete this.#kept[number]);
    return image;
  }

  async #decode(number) {
    const { wanted } = this;
    const image = this.large && (await inTurn(() => this.#remote(number, wanted)));
    if (image) return image;
    if (this.large) this.end();
    this.large = false; // no worker can be had
    return inLine(() => decoded(this.picture, number));
  }

  #remote(frame, wanted) {
    return new Promise((resolve, reject) => {
      this.#end = reject;
      if (wanted !== this.wanted) return this.end();
      try {
        if (!this.#worker) this.#start(frame);
        else this.#worker.postMessage({ frame });
      } catch {
        return resolve();
      }
      this.#worker.onerror = (event) => resolve(event.preventDefault());
      this.#worker.onmessage = ({ data: { image, message, rule } }) => {
        image ? resolve(image) : reject(Object.assign(rule ? new KMCError(rule) : new Error(), { message }));
        if (this.count < 2) this.end();
      };
    });
  }

  #start(frame) {
    this.#worker = KMCImage.worker();
    this.#worker.postMessage({ frame, file: this.file, options: this.options });
  }

  // Let go of the worker; another one starts if there is more to decode.
  end() {
    this.wanted = {};
    this.#worker?.terminate();
    this.#worker = null;
    this.#end?.(new DOMException("", "AbortError"));
  }
}

// --- The element ----------------------------------------------------------------------------------

async function fetched(address, signal) {
  const answer = await fetch(address, { signal }).catch(() => {
    throw new Error("it cannot be reached");
  });
  if (!answer.ok) throw new Error(`the server says ${answer.status} ${answer.statusText}`.trim());
  return answer.arrayBuffer();
}

function sheet(text) {
  const made = new CSSStyleSheet();
  made.replaceSync(text);
  return made;
}

export class KMCImage extends (globalThis.HTMLElement ?? class {}) {
  static observedAttributes = ["src", "alt", "width", "height", "loading", "motion", "paused"];
  // Starts a worker; a page may have another way, where this module cannot be loaded from its address.
  static worker = () => new Worker(import.meta.url, { type: "module", name: WORKER });
  static #style;
  static #calm;
  static #observer;
  static #moving = new Set(); // the elements in the document that have several frames

  complete = true;
  error = null;
  frame = 0;
  #layout = sheet("");
  #canvas = document.createElement("canvas");
  #work = new AbortController(); // of what is being loaded, or was last
  #loading = false;
  #film = null;
  #seen = false;
  #rounds = 0;
  #run = null; // another object each time that the animation is set going

  static {
    if (globalThis.customElements) this.#listen();
  }

  static #listen() {
    const each = (act) => () => this.#moving.forEach(act);
    document.addEventListener("visibilitychange", each((element) => element.#update()));
    this.#calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.#calm.addEventListener("change", each((element) => element.#rest()));
    this.#observer = new IntersectionObserver(
      (entries) => entries.forEach(({ target, isIntersecting }) => target.#see(isIntersecting)),
      { rootMargin: "25%" },
    );
  }

  constructor() {
    super();
    KMCImage.#style ??= sheet(STYLE);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [KMCImage.#style, this.#layout];
  }

  get picture() {
    return this.#film?.picture ?? null;
  }

  get naturalWidth() {
    return this.picture?.width ?? 0;
  }

  get naturalHeight() {
    return this.picture?.height ?? 0;
  }

  get src() {
    return this.getAttribute("src") ?? "";
  }

  set src(value) {
    this.setAttribute("src", value);
  }

  get alt() {
    return this.getAttribute("alt") ?? "";
  }

  set alt(value) {
    this.setAttribute("alt", value);
  }

  connectedCallback() {
    this.#describe();
    if (!this.#film && !this.#loading) this.#request();
    this.#watch();
  }

  disconnectedCallback() {
    KMCImage.#moving.delete(this);
    KMCImage.#observer.unobserve(this);
    this.#seen = false;
    this.#update();
    queueMicrotask(() => this.isConnected || this.#stop()); // not if it is only moved
  }

  attributeChangedCallback(name) {
    if (name === "src" || (name === "loading" && !this.#film && !this.#loading)) this.#request();
    this.#describe();
    this.#update();
  }

  // --- Loading

  // Show a file that is at hand: a Blob, an ArrayBuffer or a Uint8Array.
  show(file) {
    return this.#load(this.#begin(), file);
  }

  // Load the file of `src`: in a moment, as other attributes may change together with this one.
  #request() {
    const signal = this.#begin();
    queueMicrotask(() => {
      if (signal.aborted || !this.isConnected || !this.src) return;
      if (this.getAttribute("loading") === "lazy") KMCImage.#observer.observe(this);
      else this.#load(signal);
    });
  }

  #begin() {
    this.#stop();
    this.#film = this.#run = this.error = null;
    this.frame = this.#rounds = 0;
    this.complete = !this.src;
    this.#work = new AbortController();
    return this.#work.signal;
  }

  #stop() {
    this.#work.abort();
    this.#loading = false;
    this.#film?.end();
  }

  async #load(signal, file) {
    this.#loading = true;
    this.complete = false;
    try {
      const film = await this.#opened(signal, file ?? (await fetched(this.src, signal)));
      const image = await film.frame(0);
      if (signal.aborted) return;
      this.#film = film;
      this.#canvas.width = image.width;
      this.#canvas.height = image.height;
      this.#draw(image, 0);
      this.#finish(new Event("load"));
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  async #opened(signal, file) {
    const options = { maxPixels: Number(this.getAttribute("maxpixels")) || MAX_PIXELS };
    const picture = await open(file, options);
    if (Math.max(picture.width, picture.height) > MAX_SIDE) {
      throw new KMCError("limit", `browsers draw at most ${MAX_SIDE} pixels in a row or column`);
    }
    const film = new Film(picture, file, options);
    signal.addEventListener("abort", () => film.end());
    return film;
  }

  #fail(error) {
    this.#begin();
    this.error = error;
    this.#finish(new ErrorEvent("error", { error, message: error.message }));
  }

  #finish(event) {
    this.#loading = false;
    this.complete = true;
    this.#describe();
    this.#watch();
    this.dispatchEvent(event);
  }

  // --- What is seen

  // Tell assistive technology what it is, and the layout how large; or say the error.
  #describe() {
    const { alt, error, picture } = this;
    const more = error ? "contain: none; overflow: auto" : "";
    this.#layout.replaceSync(`:host { ${this.#rules(picture)} ${more} }`);
    this.#canvas.setAttribute("role", this.getAttribute("alt") === "" ? "presentation" : "img");
    this.#canvas.setAttribute("aria-label", alt);
    this.shadowRoot.replaceChildren(error ? this.#said(error) : this.#canvas);
  }

  #rules(picture) {
    const [width, height] = ["width", "height"].map((name) => /^\d+$/.exec(this.getAttribute(name))?.[0]);
    const [across, down] = picture ? [picture.width, picture.height] : [width, height];
    return [
      width && `width: ${width}px;`,
      height && `height: ${height}px;`,
      across && down && `aspect-ratio: ${across} / ${down}; contain-intrinsic-size: ${across}px ${down}px;`,
    ].join(" ");
  }

  #said({ message }) {
    const box = document.createElement("div");
    const name = this.src.split(/[?#]/)[0].split("/").pop() || "the picture";
    box.textContent = box.title = (this.alt && this.alt + " \u2013 ") + `${name} cannot be shown: ${message}`;
    return box;
  }

  #draw(image, number) {
    this.frame = number;
    this.#canvas.getContext("2d").putImageData(image, 0, 0);
    if (this.#film.count > 1) this.dispatchEvent(new Event("frame"));
  }

  // --- Frames

  // Show a frame, and go on from there if frames are shown one after the other now.
  async seek(number) {
    const film = this.#film;
    this.#run = null;
    const image = await film.frame(number);
    if (film !== this.#film) return;
    this.#rounds = 0;
    this.#draw(image, number);
    this.#update();
  }

  #watch() {
    if (!(this.#film?.count > 1 && this.isConnected)) return;
    KMCImage.#moving.add(this);
    KMCImage.#observer.observe(this);
    this.#update();
  }

  #see(isIntersecting) {
    this.#seen = isIntersecting;
    if (isIntersecting && !this.#film && !this.#loading && !this.complete) this.#load(this.#work.signal);
    this.#update();
  }

  get #moves() {
    const { count = 1, picture } = this.#film ?? {};
    const ended = picture?.loop && this.#rounds >= picture.loop;
    const calm = KMCImage.#calm.matches && this.getAttribute("motion") !== "always";
    return count > 1 && this.isConnected && this.#seen && !document.hidden && !calm && !ended && !this.hasAttribute("paused");
  }

  // Go on or pause, as everything is now.
  #update() {
    if (!this.#moves) this.#run = null;
    else if (!this.#run) this.#play((this.#run = {}));
  }

  // The user wishes less motion, or more.
  #rest() {
    if (this.#moves) this.#update();
    else this.seek(0);
  }

  // Show the frames when they are due: counted from when the first was, so that no delay adds up.
  async #play(run) {
    const film = this.#film, { durations, loop } = film.picture;
    let due = performance.now();
    try {
      while (run === this.#run) {
        const duration = durations[this.frame], next = (this.frame + 1) % film.count;
        due += duration > SHORT ? duration : 100;
        if (!next && this.#rounds + 1 === loop) this.#rounds++;
        if (!this.#moves) break;
        const image = await film.frame(next); // in the time that the frame before is shown
        await wait(due - performance.now());
        if (performance.now() - due > LATE) due = performance.now();
        if (run !== this.#run) break;
        if (!next) this.#rounds++;
        this.#draw(image, next);
      }
    } catch (error) {
      if (run === this.#run) this.#fail(error);
    }
  }
}

// Put elements in the place of <img data-kmc="x.kmc">, with their other attributes; return them.
export function upgrade(root = document) {
  return Array.from(root.querySelectorAll("img[data-kmc]"), (image) => {
    const made = document.createElement("kmc-image");
    for (const { name, value } of image.attributes) {
      if (name === "data-kmc") made.setAttribute("src", value);
      else if (name !== "src") made.setAttribute(name, value);
    }
    image.replaceWith(made);
    return made;
  });
}

if (globalThis.customElements && !customElements.get("kmc-image")) customElements.define("kmc-image", KMCImage);
if (globalThis.WorkerGlobalScope && globalThis.name === WORKER) serve();
