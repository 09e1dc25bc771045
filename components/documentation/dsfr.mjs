// Cuts the part of the State's design system (DSFR) that the pages use: node dsfr.mjs FOLDER
// Rules whose classes no page names go, and variables that no rule asks for; the dark theme follows the reader's setting
// without a script; Marianne keeps the letters of the languages of Europe.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import postcss from "postcss";
import { PurgeCSS } from "purgecss";
import subsetFont from "subset-font";

const out = process.argv[2];
const dist = "node_modules/@gouvfr/dsfr/dist";
const COMPONENTS = ["skiplink", "logo", "header", "navigation", "link", "button", "search", "input", "select", "form", "breadcrumb", "footer",
  "accordion", "table", "tag", "badge", "alert", "callout", "pagination", "content", "card"];
const read = (path) => readFileSync(join(dist, path), "utf8");
const whole = postcss.parse(["core/core.main.min.css", "scheme/scheme.min.css", ...COMPONENTS.map((name) => `component/${name}/${name}.main.min.css`)].map(read).join("\n"));
// Themes are chosen by an attribute that a script sets: here by the reader's setting.
const dark = postcss.atRule({ name: "media", params: "screen and (prefers-color-scheme:dark)" });
whole.walkRules(/data-fr-theme/, (rule) => {
  const selectors = rule.selectors.filter((selector) => selector.includes("data-fr-theme=dark"));
  const own = selectors.map((selector) => selector.replace(/:root(:where\(\[data-fr-theme=dark\]\)|\[data-fr-theme=dark\])/g, ":root"));
  if (own.length && !own.some((selector) => selector.includes("data-fr-theme"))) dark.append(rule.clone({ selector: own.join(",") }));
  const rest = rule.selectors.filter((selector) => !selector.includes("data-fr-theme"));
  if (rest.length) rule.selectors = rest; else rule.remove();
});
whole.append(dark);
const source = whole.toString();

const pages = "../../crates/pages";
const files = (folder, end) => readdirSync(join(pages, folder), { recursive: true }).filter((name) => name.endsWith(end))
  .map((name) => ({ raw: readFileSync(join(pages, folder, name), "utf8"), extension: "text" }));
const content = [...files("src", ".rs"), ...files("pages", ".js"), ...files("pages", ".html"), ...files("pages", ".css")];
// `a.fr-link.fr-icon` and `class="fr-link"` alike: a name ends where no name goes on.
const extract = (text) => text.match(/[A-Za-z][\w-]*/g) || [];

const [purged] = await new PurgeCSS().purge({
  content,
  css: [{ raw: source }],
  defaultExtractor: extract,
  variables: false,
  safelist: { standard: ["html", "body", ":root"], deep: [], greedy: [] },
});

const root = postcss.parse(purged.css);
// What the pages do not use, whatever class asks for it: other cuts of the font, pictures beside the style sheet.
root.walkAtRules("font-face", (rule) => rule.remove());
root.walkAtRules("media", (rule) => { if (/-ms-high-contrast/.test(rule.params)) rule.remove(); });
root.walkComments((comment) => { if (!comment.text.startsWith("!")) comment.remove(); });
let licence = null;
root.walkComments((comment) => { licence ??= comment.clone(); comment.remove(); });
const inline = (value) => value.replace(/url\(["']?([^"')]+\.svg)["']?\)/g, (whole, path) => {
  const found = [path.replace(/^(\.\.\/)+/, "")].map((name) => { try { return readFileSync(join(dist, name), "utf8"); } catch { return null; } })[0];
  return found ? `url("data:image/svg+xml,${encodeURIComponent(found).replaceAll("'", "%27")}")` : "none";
});
root.walkDecls((declaration) => { if (/url\(/.test(declaration.value) && !/data:/.test(declaration.value)) declaration.value = inline(declaration.value); });
// Variables that nothing asks for, until none is left: those of every colour and decision are there.
for (let before = -1; ;) {
  const asked = new Set(content.flatMap(({ raw }) => raw.match(/--[\w-]+/g) || []));
  root.walkDecls((declaration) => { for (const name of declaration.value.match(/--[\w-]+/g) || []) if (name !== declaration.prop) asked.add(name); });
  let count = 0;
  root.walkDecls(/^--/, (declaration) => { if (asked.has(declaration.prop)) count++; else declaration.remove(); });
  root.walkRules((rule) => { if (!rule.nodes.length) rule.remove(); });
  root.walkAtRules((rule) => { if (rule.nodes && !rule.nodes.length) rule.remove(); });
  if (count === before) break;
  before = count;
}

const faces = [["Regular", 400], ["Bold", 700]].map(([cut, weight]) =>
  `@font-face{font-family:Marianne;src:url(marianne-${cut.toLowerCase()}.woff2) format("woff2");font-weight:${weight};font-style:normal;font-display:swap}`);
mkdirSync(out, { recursive: true });
writeFileSync(join(out, "dsfr.css"), `/*!${licence ? licence.text.slice(1) : ""}*/` + faces.join("") + root.toString());
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => String.fromCodePoint(from + i)).join("");
const letters = range(0x20, 0x7e) + "\u00a0«»°²·ÀÂÄÇÈÉÊËÎÏÔÖÙÛÜàâäçèéêëîïôöùûüÿŒœÆæ€’‘“”–—…→←↑↓×\u202f";
for (const cut of ["Regular", "Bold"]) {
  const font = await subsetFont(readFileSync(join(dist, `fonts/Marianne-${cut}.woff2`)), letters, { targetFormat: "woff2", noLayoutClosure: true });
  writeFileSync(join(out, `marianne-${cut.toLowerCase()}.woff2`), font);
}
writeFileSync(join(out, "dsfr-licence.txt"), readFileSync("node_modules/@gouvfr/dsfr/LICENSE.md"));
