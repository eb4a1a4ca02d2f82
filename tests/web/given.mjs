/* What comes of what users give: node given.mjs STILL FILM. Prints it as JSON. */
import { readFile } from "node:fs/promises";
import { createContext, runInContext } from "node:vm";
import { decode, open, toImageData } from "../../kmc_format/web/kmc.js";

const [still, film] = await Promise.all(process.argv.slice(2).map((name) => readFile(name)));
const said = (promise) => promise.then((value) => value.width ?? "", (error) => error.rule ?? error.name);
const thrown = (call) => {
  try {
    return call();
  } catch (error) {
    return error.name;
  }
};
const each = async (values, call) => Promise.all(values.map((value) => said(call(value))));
const picture = await open(still);
const other = createContext({ bytes: [...still] });
const elsewhere = ["Uint8Array.from(bytes)", "Uint8Array.from(bytes).buffer"].map((code) => runInContext(code, other));

const all = await decode(film);
const pixels = (given, labels) => String(toImageData(given, labels).data);
const before = all.frames.map(({ labels }) => pixels(all, labels));
const clone = structuredClone(all);
const moving = await open(film);
const first = await moving.labels(0);
await moving.verify();
const red = all.codebook.map((_, n) => (n % 3 ? 0 : 255));
const image = toImageData(picture, await picture.labels());

console.log(
  JSON.stringify({
    width: picture.width,
    files: await each(["text", undefined, null, 7, {}, new Map(), [...still], new Response(still)], open),
    bytes: await each([new Blob([still]), new DataView(still.buffer, still.byteOffset, still.length), ...elsewhere], open),
    limits: await each([NaN, "abc", null, 0, Infinity], (maxPixels) => open(still, { maxPixels })),
    all: await each([NaN, Infinity], (maxPixels) => decode(film, { maxPixels })),
    numbers: await each(["0", 0.5, NaN, null, "length", -1, 1, {}, 0], (number) => picture.labels(number)),
    short: thrown(() => toImageData(picture, new Uint8Array(3))),
    image: [image.width === picture.width, image.height === picture.height, image.data.length],
    colours: new Set(all.frames.map(({ codebook }) => String(codebook))).size,
    cloned: clone.frames.every(({ labels }, n) => pixels(clone, labels) === before[n]),
    again: pixels(moving, first) === before[0],
    own: all.frames.every(({ labels }) => /^(255,0,0,255,?)+$/.test(pixels({ ...all, codebook: red }, labels))),
  }),
);
