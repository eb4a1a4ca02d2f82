/// <reference lib="dom" />

/** Why a file cannot be shown. */
export class KMCError extends Error {
  /**
   * The broken rule of FORMAT.md, "What a reader rejects"; "limit" for limits that the caller or memory sets. Tiles of
   * animations take memory for 32 more pixels in each row: narrow ones of over 2 ** 28 pixels, so counted, are too large.
   */
  readonly rule: string;
  constructor(rule: string, message: string);
}

export interface Options {
  /** The most pixels, 2 ** 28 by default; `decode` counts those of all frames. */
  maxPixels?: number;
}

export type Mode = "1" | "L" | "LA" | "RGB" | "RGBA" | "P" | "I;16" | "I";
/** k entries of `channels` values each. */
export type Codebook = Uint8Array | Uint16Array | Int32Array;
/** A number below k for each pixel, in rows. */
export type Labels = Uint8Array | Uint16Array;

/** What a file holds beside its picture: FORMAT.md, "Chunks". */
export interface Metadata {
  icc?: Uint8Array;
  exif?: Uint8Array;
  xmp?: Uint8Array;
  /** Horizontal and vertical pixels per inch. */
  dpi?: [number, number];
  /** Of a palette: its one clear entry, or the alpha of its first entries. `codebook` has it already. */
  transparency?: number | Uint8Array;
  /** The squared error that a bit of the labels was worth where they were chosen by that. */
  rdo?: number;
}

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly mode: Mode;
  readonly animated: boolean;
  /** Width and height of a tile. */
  readonly tile: [number, number];
  /** For how many milliseconds each frame is shown; of a still [0]. */
  readonly durations: number[];
  /** How many times the frames are shown, 0 for ever; null for a still. */
  readonly loop: number | null;
  readonly metadata: Metadata;
  /** These four are of the frame that was decoded last; before, of the first. */
  readonly k: number;
  readonly channels: number;
  readonly codebook: Codebook;
  /** Of mode P: the codebook as it is stored, without `metadata.transparency`. */
  readonly palette: Codebook | null;
  /**
   * Decodes a frame. The frames in order take least; for any other, 16 are decoded at most, and so where over 32
   * animations are decoded by turns.
   */
  labels(frame?: number): Promise<Labels>;
  /** Checks all that a reader must, in all frames; rejects with what is wrong. */
  verify(): Promise<void>;
}

export interface Decoded {
  width: number;
  height: number;
  mode: Mode;
  channels: number;
  codebook: Codebook;
  labels: Labels;
  frames: { duration: number; codebook: Codebook; labels: Labels }[];
  metadata: Metadata;
  loop: number | null;
}

/** Opens a file, and checks its header, codebook and structure. No labels are decoded yet. */
export function open(data: Uint8Array | ArrayBuffer | Blob, options?: Options): Promise<Picture>;

/** Decodes a whole file. */
export function decode(data: Uint8Array | ArrayBuffer | Blob, options?: Options): Promise<Decoded>;

/**
 * Makes pixels of labels, one of a pixel. Integers without a colour go from black to white.
 *
 * Labels of a Picture have the colours of their frame; where these are not known, as labels were copied, those of the
 * frame that was decoded last. Of what `decode` gave, or of another object of that kind, `codebook` wins if it is not
 * that of the first frame; else labels that are among `frames` have the codebook of theirs.
 *
 * Where there is no ImageData, as in Node, this is an object with its `width`, `height` and `data` only.
 */
export function toImageData(picture: Picture | Decoded, labels: Labels): ImageData;

/**
 * Makes an image file of labels, those of the first frame by default. It needs a browser, or a worker of one, whose
 * canvas rounds the colours of what is nearly clear; `toImageData` is exact.
 */
export function toBlob(picture: Picture | Decoded, labels?: Labels, type?: string): Promise<Blob>;

/**
 * `<kmc-image src="x.kmc" alt="...">`, which is laid out, and named to assistive technology, as `<img>` is.
 *
 * Its attributes are those of `<img>`: `src`, `alt`, `width`, `height`, `loading`; and `maxpixels`, the most pixels
 * that a picture may have, 2 ** 26 by default; `paused`; and `motion="always"`, for animations that move also for
 * those who prefer less motion. A frame that says 10 ms or less is shown for 100 ms, as browsers do with GIF.
 *
 * Its events are `load`; `error`, an ErrorEvent; and `frame`, when a frame of an animation is shown.
 */
export class KMCImage extends HTMLElement {
  /** Starts a worker that imports this module, for a picture over a megapixel; a page may set another way. */
  static worker: () => Worker;
  src: string;
  alt: string;
  loading: "eager" | "lazy";
  /** As it is laid out, or else of the picture. */
  width: number;
  height: number;
  /** Whether there is nothing to wait for. */
  readonly complete: boolean;
  /** Why there is no picture. */
  readonly error: Error | null;
  readonly picture: Picture | null;
  readonly naturalWidth: number;
  readonly naturalHeight: number;
  /** The number of the frame that is shown. */
  readonly frame: number;
  /** Shows a file that is at hand. The events tell how that went. */
  show(data: Uint8Array | ArrayBuffer | Blob): Promise<void>;
  /** Shows a frame, and goes on from there unless it is paused; rejects with a RangeError if there is no such frame. */
  seek(frame: number): Promise<void>;
}

/** Puts elements in the place of `<img data-kmc="x.kmc">`, with their other attributes; returns them. */
export function upgrade(root?: ParentNode): KMCImage[];

declare global {
  interface HTMLElementTagNameMap {
    "kmc-image": KMCImage;
  }
}
