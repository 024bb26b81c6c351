/* Build the chart library as one classic script, with its licences: `npm ci && npm run build`.

   node build.mjs [FOLDER]   writes plot.js, LICENSES.txt and VENDOR.json there; without FOLDER into
                             the site. The same lock gives the same bytes on every machine. */
import { build, version } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../tokonomy_site/static/vendor"));
const read = (...path) => readFileSync(join(here, ...path), "utf8");
const lock = JSON.parse(read("package-lock.json")).packages;

const made = await build({
  absWorkingDir: here,
  entryPoints: ["chart.js"],
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "iife",
  globalName: "Plot",
  target: "es2020",
  legalComments: "none", // all licences stand in LICENSES.txt
  metafile: true,
  write: false,
});

/* Packages of which at least one byte is in the bundle. */
const [{ inputs }] = Object.values(made.metafile.outputs);
const used = new Set();
for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
  const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
  if (name && bytesInOutput) used.add(name);
}
const packages = [...used].sort().map((name) => {
  const { version, integrity, license } = lock[`node_modules/${name}`];
  return { name, version, integrity, licence: license };
});
const licences = packages.map(({ name, version, licence }) => {
  const file = readdirSync(join(here, "node_modules", name)).find((f) => /^licen[cs]e/i.test(f));
  return `${name} ${version} (${licence})\n\n${read("node_modules", name, file).trim()}\n`;
});

const bundle = made.outputFiles[0].contents;
const notice = licences.join(`\n${"-".repeat(72)}\n\n`);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const vendor = {
  builder: { name: "esbuild", version, integrity: lock["node_modules/esbuild"].integrity },
  files: [
    { name: "plot.js", bytes: bundle.length, sha256: sha256(bundle) },
    { name: "LICENSES.txt", bytes: Buffer.byteLength(notice), sha256: sha256(notice) },
  ],
  packages,
};
mkdirSync(out, { recursive: true });
writeFileSync(join(out, "plot.js"), bundle);
writeFileSync(join(out, "LICENSES.txt"), notice);
writeFileSync(join(out, "VENDOR.json"), JSON.stringify(vendor, null, 1) + "\n");
