/* What kmc.js makes of files against what is expected; for Node and for pages. */

async function digest(array) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const sum = await crypto.subtle.digest("SHA-256", bytes);
  return hex(new Uint8Array(sum)).slice(0, 32);
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Numbers below a count, mixed up, the same each time. */
const mixed = (count, most) => Array.from({ length: Math.min(count, most) }, (_, n) => (7919 * (n + 3)) % count);

const sorted = (object) => Object.fromEntries(Object.entries(object).sort());

async function framesOf(picture, numbers) {
  const frames = {};
  for (const number of numbers) {
    const labels = await picture.labels(number);
    const { codebook, k, channels } = picture;
    frames[number] = [await digest(labels), labels.BYTES_PER_ELEMENT, await digest(codebook), k, channels];
  }
  return frames;
}

/** All that there is to tell of a file, or the rule that it breaks. Of frames, at most so many are decoded. */
export async function outcome(kmc, data, { maxPixels = 2 ** 28, most = Infinity } = {}) {
  try {
    const picture = await kmc.open(data, { maxPixels });
    const { width, height, mode, channels, k, tile, loop, durations, codebook, palette } = picture;
    const metadata = sorted(picture.metadata);
    for (const [name, value] of Object.entries(metadata)) {
      if (value instanceof Uint8Array) metadata[name] = hex(value);
    }
    const head = { width, height, mode, channels, k, tile, loop, durations, metadata };
    head.codebook = [codebook.constructor.name, await digest(codebook), palette && (await digest(palette))];
    const numbers = [...durations.keys()].slice(0, most);
    const frames = await framesOf(picture, numbers);
    const again = await framesOf(await kmc.open(data), mixed(numbers.length, most < Infinity ? 4 : 64));
    const other = Object.keys(again).filter((number) => String(again[number]) !== String(frames[number]));
    return { ...head, frames: Object.values(frames), other };
  } catch (error) {
    return { rule: error instanceof kmc.KMCError ? error.rule : String(error.stack) };
  }
}

/** What an outcome has other than expected: lines of text. */
export function differences(expected, found) {
  const { rule = "" } = found;
  if (expected.rules) return expected.rules.includes(rule) ? [] : [`${rule || "no rule"}, not ${expected.rules}`];
  if (rule) return [`it is rejected: ${rule}`];
  const all = { ...expected, other: [] };
  delete all.number;
  all.metadata = sorted(all.metadata);
  return Object.keys(all)
    .filter((name) => JSON.stringify(all[name]) !== JSON.stringify(found[name]))
    .map((name) => `${name}: ${JSON.stringify(found[name])}, not ${JSON.stringify(all[name])}`);
}

/** What differs in many files, by name; `read` gives their bytes. */
export async function check(kmc, cases, read) {
  const wrong = {};
  for (const { name, ...expected } of cases) {
    const lines = differences(expected, await outcome(kmc, await read(name)));
    if (lines.length) wrong[name] = lines;
  }
  return wrong;
}

/** The limits that a page sets; returns the rules. */
export async function limits(kmc, data, pixels) {
  const ruleOf = (promise) => promise.then(() => "", (error) => error.rule);
  return [
    await ruleOf(kmc.open(data, { maxPixels: pixels })),
    await ruleOf(kmc.open(data, { maxPixels: pixels - 1 })),
    await ruleOf(kmc.decode(data, { maxPixels: pixels - 1 })),
  ];
}
