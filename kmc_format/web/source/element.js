/* The element <kmc-image>, which shows a KMC file as <img> shows others. It is joined to decoder.js; the module is
   its own worker, too, in which large pictures are decoded. */

const WORKER = "kmc-image"; // what messages to a worker say, which may have others, too
const SILENT = 5000; // ms after which a worker is not one of ours, if it does not say that it has begun
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

// For at most 24 days, which is all that a timer takes.
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 2 ** 31 - 1)));
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
  addEventListener("message", async ({ data }) => {
    if (data?.job !== WORKER) return;
    const { frame, file, options } = data;
    postMessage({ begun: true });
    try {
      if (file) picture = open(file, options);
      const image = await decoded(await picture, frame);
      postMessage({ image }, [image.data.buffer]);
    } catch ({ message, rule }) {
      postMessage({ message, rule });
    }
  });
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
    this.count = picture.durations.length;
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
      const { file, options } = this.#worker ? {} : this;
      try {
        this.#worker ??= KMCImage.worker();
        this.#worker.postMessage({ job: WORKER, frame, file, options });
      } catch {
        return resolve();
      }
      const silence = setTimeout(resolve, SILENT);
      this.#worker.onerror = (event) => resolve(event.preventDefault());
      this.#worker.onmessage = ({ data: { begun, image, message, rule } }) => {
        if (begun) return clearTimeout(silence);
        if (message) reject(Object.assign(rule ? new KMCError(rule) : new Error(), { message }));
        resolve(image);
        if (this.count < 2) this.end();
      };
    });
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
  // Starts a worker that runs this module; a page may have another way, as bundlers need one.
  static worker = () => new Worker(import.meta.url, { type: "module" });
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
    ["src", "alt", "loading", "width", "height"].forEach((name) => this.#reflect(name));
    // Documents that have no such style sheets are those of tests, as of jsdom: there it stays an unknown element.
    if (globalThis.document?.adoptedStyleSheets && !customElements.get("kmc-image")) this.#define();
  }

  static #define() {
    const each = (act) => () => this.#moving.forEach(act);
    document.addEventListener("visibilitychange", each((element) => element.#update()));
    this.#calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.#calm.addEventListener("change", each((element) => element.#rest()));
    this.#observer = new IntersectionObserver(
      (entries) => entries.forEach(({ target, isIntersecting }) => target.#see(isIntersecting)),
      { rootMargin: "25%" },
    );
    this.#style = sheet(STYLE);
    customElements.define("kmc-image", this);
  }

  // Make a property of an attribute, as <img> has it.
  static #reflect(name) {
    Object.defineProperty(this.prototype, name, {
      get() {
        const value = this.getAttribute(name);
        if (name === "loading") return value === "lazy" ? value : "eager";
        if (!/width|height/.test(name)) return value ?? "";
        return parseInt(getComputedStyle(this)[name] || value) || (this.picture?.[name] ?? 0);
      },
      set(value) {
        this.setAttribute(name, value);
      },
    });
  }

  constructor() {
    super();
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

  connectedCallback() {
    this.#describe();
    if (this.#waits) this.#request();
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
    if (name === "src" || (name === "loading" && this.#waits)) this.#request();
    this.#describe();
    this.#update();
  }

  // --- Loading

  // Show a file that is at hand: a Blob, an ArrayBuffer or a Uint8Array.
  show(file) {
    return this.#load(this.#begin(), file);
  }

  // Whether the file of `src` is yet to be loaded.
  get #waits() {
    return !this.complete && !this.#loading;
  }

  // Load the file of `src`: in a moment, as other attributes may change together with this one.
  #request() {
    const signal = this.#begin();
    if (!this.src) return this.#put();
    queueMicrotask(() => {
      if (signal.aborted || !this.isConnected) return;
      if (this.loading === "lazy") KMCImage.#observer.observe(this);
      else this.#load(signal);
    });
  }

  // What is shown stays, without an error, until what is asked for is there.
  #begin() {
    this.#work.abort();
    this.#work = new AbortController();
    this.#loading = false;
    this.error = null;
    this.complete = !this.src;
    this.#describe();
    return this.#work.signal;
  }

  #stop() {
    this.#work.abort();
    this.#loading = false;
    this.#film?.end();
  }

  // Have another film, or none.
  #put(film = null) {
    this.#film?.end();
    this.#film = film;
    this.#run = null;
    this.frame = this.#rounds = 0;
    this.#canvas.width = this.naturalWidth;
    this.#canvas.height = this.naturalHeight;
    KMCImage.#moving.delete(this);
  }

  async #load(signal, file) {
    this.#loading = true;
    this.complete = false;
    try {
      const film = await this.#opened(signal, file ?? (await fetched(this.src, signal)));
      const image = await film.frame(0);
      if (signal.aborted) return;
      this.#put(film);
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
    signal.addEventListener("abort", () => film === this.#film || film.end());
    return film;
  }

  #fail(error) {
    this.#begin();
    this.#put();
    if (/CSP|Content.Sec/.test(error.message)) error.message = "this page's policy lacks 'wasm-unsafe-eval'";
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
    const name = this.src.split(/^data:|^blob:|[?#]/)[0].split("/").pop() || "the picture";
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
  async seek(wanted) {
    const film = this.#film, number = Number(wanted);
    if (!(film?.picture.durations[number] >= 0)) throw new RangeError(`there is no frame ${wanted}`);
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
    if (isIntersecting && this.#waits) this.#load(this.#work.signal);
    this.#update();
  }

  get #moves() {
    const { picture } = this;
    const ended = picture?.loop && this.#rounds >= picture.loop;
    const calm = KMCImage.#calm.matches && this.getAttribute("motion") !== "always";
    const rests = calm || ended || document.hidden || this.hasAttribute("paused");
    return this.#film?.count > 1 && this.isConnected && this.#seen && !rests;
  }

  // Go on or pause, as everything is now.
  #update() {
    if (!this.#moves) this.#run = null;
    else if (!this.#run) this.#play((this.#run = {}));
  }

  // The user wishes less motion, or more.
  #rest() {
    if (this.#moves) this.#update();
    else this.seek(0).catch(() => {});
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

if (globalThis.WorkerGlobalScope) serve();
