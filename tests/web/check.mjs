/* Check files in Node: node check.mjs CASES, where CASES is a JSON file of names and what is expected. Prints what
   differs, as JSON. */
import { readFile } from "node:fs/promises";
import * as kmc from "../../kmc_format/web/kmc.js";
import { check } from "./checks.js";

const cases = JSON.parse(await readFile(process.argv[2], "utf-8"));
console.log(JSON.stringify(await check(kmc, cases, readFile)));
