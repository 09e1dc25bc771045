// Opens every page in Chromium at desktop and phone width, narrow, large, dark, printed, without scripts: no console error,
// no request to another host, the keyboard path from search to snippet, no serious accessibility finding, bytes within
// their budget, no dead link, valid HTML. Keeps pictures.
//   node essai.mjs http://127.0.0.1:3000 PICTURES_FOLDER [where]
// `where` leaves out what does not depend on where the pages lie: how they look, and what their HTML is.
import { chromium } from "playwright-core";
import { HtmlValidate } from "html-validate";
import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [base, pictures, part] = process.argv.slice(2);
if (part !== undefined && part !== "where") throw new Error(`${part} is not where`);
const whole = part === undefined;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(pictures, { recursive: true });
const faults = [];
process.on("uncaughtException", (error) => {
  for (const fault of faults) console.log(`- ${fault}`);
  console.log(`- stopped: ${error.stack}`);
  process.exit(1);
});
const check = (ok, what) => { if (!ok) faults.push(what); };

const context = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "chromium-")), {
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  headless: true,
  bypassCSP: true, // axe is put into the page; the pages' own policy is checked by its effects below
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

async function open(path, size) {
  const page = await context.newPage();
  await page.setViewportSize(size);
  page.on("console", (m) => {
    // What is not there is answered by a 404, which the browser reports: that view asks for it.
    if (m.type() !== "error" || (path === views["sans-donnees"] && m.text().includes("404"))) return;
    faults.push(`${path}: console: ${m.text()}`);
  });
  page.on("pageerror", (e) => faults.push(`${path}: ${e.message}`));
  page.bytes = 0;
  page.on("request", (r) => {
    const url = r.url();
    if (!url.startsWith(base) && !/^(data|blob|about):/.test(url)) faults.push(`${path}: request to ${url}`);
  });
  page.on("response", async (r) => { page.bytes += (await r.body().catch(() => "")).length; });
  await page.goto(base + path, { waitUntil: "networkidle" });
  return page;
}

async function accessible(page, name, exclude = []) {
  if (!whole) return;
  await page.evaluate(axe);
  const found = await page.evaluate((exclude) => globalThis.axe.run(exclude.length ? { exclude } : document), exclude);
  for (const v of found.violations.filter((v) => ["serious", "critical"].includes(v.impact))) {
    faults.push(`${name}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(" | ")}`);
  }
}

const validator = new HtmlValidate({ root: true, extends: ["html-validate:standard"] });
/** The page as it is sent is HTML without a fault. */
async function valid(name, path) {
  const answer = await context.request.get(base + path, { headers: { accept: "text/html" } });
  const { results } = await validator.validateString(await answer.text());
  for (const m of results.flatMap((r) => r.messages)) faults.push(`${name}: HTML ${m.ruleId}: ${m.message} (${m.line}:${m.column})`);
}
const empty = await validator.validateString("<p><div></p>");
check(!empty.valid, "the validator finds nothing wrong in what is wrong");

const sizes = { bureau: { width: 1280, height: 900 }, telephone: { width: 360, height: 740 } };
if (!whole) delete sizes.telephone;
const views = {
  accueil: "/",
  resultats: "/recherche?q=accueil",
  "resultats-filtres": "/recherche?niveau=bac-pro&region=04",
  "sans-resultat": "/recherche?q=zzzzzz",
  certification: "/certifications/40099011",
  "certification-region": "/certifications/40099011?region=04",
  superieur: "/certifications/SISE:2599901",
  "annee-commune": "/certifications/40099010",
  etablissement: "/etablissements/9749801K",
  "formation-etablissement": "/etablissements/9749801K/01099051",
  "seuil-masque": "/etablissements/0359834Z/16X99082",
  comparaison: "/comparer?avec=40099011&avec=40099012-04&avec=9749801K-01099051",
  "comparaison-vide": "/comparer",
  "sans-donnees": "/certifications/99999999",
  methode: "/methode",
  mentions: "/mentions-legales",
  accessibilite: "/accessibilite",
  "donnees-personnelles": "/donnees-personnelles",
  contact: "/contact",
  plan: "/plan-du-site",
  erreurs: "/api/doc/erreurs",
  etat: "/etat",
  appariement: "/api/doc/appariement",
  documentation: "/api/doc",
  reference: "/api/doc/reference",
  cle: "/api/doc/cle",
  conditions: "/api/doc/conditions",
};
// Bytes on the wire: the first page with the design system, then what a sheet adds to what the browser holds.
const HOME_MAX = 60 * 1024, SHEET_MAX = 40 * 1024;
// Words of the interface that no reader should meet outside the folds for developers.
const WIRE = /\b(null|undefined|superieur|TH\d-|taux_|nb_|donnee_source|MEFSTAT11|CFD)\b/;

async function look(size, dimensions) {
  for (const [name, path] of Object.entries(views)) {
    if (whole && size === "bureau") await valid(name, path);
    const page = await open(path, dimensions);
    if (name === "documentation") await page.waitForSelector(".opblock", { timeout: 20_000 });
    // The tool that tries calls is not ours: what it shows stands in the reference, which is.
    await accessible(page, `${name} ${size}`, name === "documentation" ? [["#swagger"]] : []);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check(wide <= 0, `${name} ${size}: ${wide} px too wide`);
    const title = await page.title();
    check(/\S – Que deviennent les jeunes\s\?$/.test(title), `${name}: title ${title}`);
    if (name !== "documentation") check((await page.locator("h1").count()) === 1, `${name}: not one h1`);
    if (!path.startsWith("/api/") && name !== "etat") {
      const said = await page.evaluate(() => {
        const main = document.querySelector("main").cloneNode(true);
        for (const fold of main.querySelectorAll(".fold, select")) fold.remove();
        return main.textContent;
      });
      check(!WIRE.test(said), `${name}: ${said.match(WIRE)?.[0]} on the page`);
    }
    await page.screenshot({ path: join(pictures, `${name}-${size}.png`), fullPage: name !== "documentation" });
    await page.close();
  }
}

// As wide as a phone of 320 px, text twice as large, dark, printed, in forced colours: nothing is cut, axe finds nothing.
async function lookOtherwise() {
  for (const [name, path] of Object.entries(views)) {
    if (name === "sans-donnees" || name === "documentation") continue;
    const page = await open(path, { width: 320, height: 640 });
    const fits = async (what) => {
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      check(wide <= 0, `${name} ${what}: ${wide} px too wide`);
    };
    await fits("320 px");
    await page.setViewportSize({ width: 640, height: 900 });
    await page.evaluate(() => { document.documentElement.style.fontSize = "200%"; });
    await fits("200 %");
    await page.evaluate(() => { document.documentElement.style.fontSize = ""; });
    await page.emulateMedia({ colorScheme: "dark" });
    await accessible(page, `${name} dark`);
    if (["certification", "accueil", "etablissement"].includes(name)) {
      await page.setViewportSize(sizes.bureau);
      await page.screenshot({ path: join(pictures, `${name}-sombre.png`), fullPage: true });
      await page.emulateMedia({ colorScheme: "light", forcedColors: "active" });
      await page.screenshot({ path: join(pictures, `${name}-contraste.png`), fullPage: true });
      await page.emulateMedia({ colorScheme: "light", forcedColors: "none", media: "print" });
      await page.pdf({ path: join(pictures, `${name}.pdf`), format: "A4", margin: { top: "1cm", bottom: "1cm", left: "1cm", right: "1cm" } });
      await page.emulateMedia({ media: "screen" });
    }
    await page.close();
  }
}

// All at once: a page waits half of its time, until it falls silent.
const looks = Object.entries(sizes).map(([size, dimensions]) => look(size, dimensions));
await Promise.all(whole ? [...looks, lookOtherwise()] : looks);

// Bytes, from a browser that has nothing yet.
{
  const weigh = async (page, path) => {
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    let bytes = 0;
    session.on("Network.loadingFinished", (e) => { bytes += e.encodedDataLength; });
    await page.goto(base + path, { waitUntil: "networkidle" });
    await session.detach();
    return bytes;
  };
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.clearBrowserCache");
  const home = await weigh(page, "/");
  check(home <= HOME_MAX, `home: ${home} bytes`);
  const sheets = [];
  for (const path of ["/certifications/40099011", "/certifications/40099011?region=04", "/etablissements/9749801K"]) {
    const bytes = await weigh(page, path);
    sheets.push(bytes);
    check(bytes <= SHEET_MAX, `${path}: ${bytes} bytes`);
  }
  console.log(`bytes: home ${home}, sheets ${sheets.join(", ")}`);
  await page.close();
}

// By keyboard alone: search, result, region, establishment, snippet.
const page = await open("/", sizes.bureau);
const until = async (ok, what) => {
  const seen = [];
  for (let i = 0; i < 120; i++) {
    if (await page.evaluate(ok)) return;
    await page.keyboard.press("Tab");
    seen.push(await page.evaluate(() => document.activeElement.getAttribute("aria-label") || document.activeElement.id || document.activeElement.textContent.slice(0, 20)));
  }
  faults.push(`keyboard: ${what} is not reached: ${seen.join(", ")}`);
};
await page.keyboard.press("Tab");
check((await page.evaluate(() => document.activeElement.textContent)) === "Contenu", "keyboard: no skip link");
await page.keyboard.press("Enter");
check(await page.evaluate(() => document.activeElement.id === "content" && document.querySelector("h1") !== null), "keyboard: the skip link does not lead to the content");
await until(() => document.activeElement.id === "q", "the search field");
await page.keyboard.type("accueil exemple");
await Promise.all([page.waitForURL(/recherche\?q=accueil/), page.keyboard.press("Enter")]);
check((await page.textContent("[role=status]")).includes("résultat"), "keyboard: no status of the results");
await until(() => document.activeElement.matches(".results a"), "a result");
await Promise.all([page.waitForURL(/certifications/), page.keyboard.press("Enter")]);
await until(() => document.activeElement.id === "region", "the choice of the region");
await page.keyboard.press("ArrowDown");
await until(() => document.activeElement.matches("form[action*=certifications] button"), "the button of the region");
await Promise.all([page.waitForURL(/region=/), page.keyboard.press("Enter")]);
check((await page.textContent("h2:has-text('Établissements en')")).length > 0, "keyboard: no establishments of the region");
const place = await page.title();
await page.goBack();
check((await page.title()) !== place, "Back leads nowhere");
await page.goForward();
await until(() => document.activeElement.matches("#etablissements .ranking a"), "an establishment");
await Promise.all([page.waitForURL(/etablissements/), page.keyboard.press("Enter")]);
await until(() => document.activeElement.matches("#integrer summary"), "how to embed it");
await page.keyboard.press("Enter");
// What is copied elsewhere is whole, and holds where the pages lie.
for (const [label, start] of [["Code à intégrer", `<img src="${base}/api/images/`], ["Si votre page a un mode sombre", "<picture>"], ["curl", `curl '${base}/api/inserjeunes/`]]) {
  const text = await page.textContent(`pre[aria-label="${label}"]`);
  check(text.startsWith(start), `${label}: ${text}`);
}
const embedded = (await page.textContent("pre[aria-label='Code à intégrer']")).match(/src="([^"]+)"/)[1];
check((await context.request.get(embedded)).ok(), `no image at ${embedded}`);
const file = await context.request.get(await page.getAttribute("#integrer a[download]", "href").then((href) => new URL(href, page.url()).href));
check(file.ok() && (await file.body()).subarray(1, 4).toString() === "PNG", `no PNG: ${file.status()}`);
// Addresses of the former explorer lead on.
for (const [hash, end] of [["#q=cuisine", "recherche?q=cuisine"], ["#c=40099011&r=04", "certifications/40099011?region=04"], ["#u=9749801K", "etablissements/9749801K"]]) {
  await page.goto("about:blank");
  await page.goto(base + "/" + hash, { waitUntil: "networkidle" });
  await page.waitForURL((url) => url.href.includes(end), { timeout: 5_000 }).catch(() => faults.push(`${hash}: ${page.url()}`));
}
// Every link of every page leads to an answer.
const tried = new Set();
for (const path of [...Object.values(views).filter((path) => !/9{8}/.test(path)), "/etat/", "/api/doc/", "/api/doc/erreurs/", "/methode/", "/recherche/?q=accueil"]) {
  await page.goto(base + path, { waitUntil: "domcontentloaded" });
  // Its links come with the description.
  if (/^\/api\/doc\/?$/.test(path)) await page.waitForSelector(".opblock", { timeout: 20_000 });
  for (const whole of new Set(await page.evaluate(() => [...document.querySelectorAll("a[href]")].map((a) => a.href)))) {
    const link = whole.split("#")[0];
    if (tried.has(link) || link.startsWith("mailto:")) continue;
    tried.add(link);
    if (!link.startsWith(new URL(base).origin)) continue; // a licence, elsewhere
    check(link.startsWith(base), `${path}: a link to ${link}`);
    const answer = await context.request.get(link, { headers: { accept: "text/html,*/*" } });
    check(answer.ok(), `${path}: ${answer.status()} at ${link}`);
  }
}
await page.close();

// Without scripts: search, a certification, its region, a comparison.
const bare = await (await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] })).newContext({ javaScriptEnabled: false });
const still = await bare.newPage();
await still.goto(base + "/");
await still.fill("#q", "accueil");
await Promise.all([still.waitForURL(/recherche/), still.click("form[role=search] button")]);
await still.click(".results a");
await still.selectOption("#region", "04");
await Promise.all([still.waitForURL(/region=04/), still.click("form[action*=certifications] button")]);
check((await still.textContent("main")).includes("Sur 100 jeunes"), "without scripts: no sentence");
await still.click("text=Comparer avec une autre formation");
await still.fill("#q", "vente");
await still.click(".search-line button");
await still.click(".results a");
check((await still.locator(".compared > li").count()) === 2, "without scripts: not two compared");
await bare.browser().close();

// A catalogue: dropped on the page, previewed, counted, downloaded; a row explained; suggestions. With a wrong key before.
const catalogue = readFileSync(new URL("../catalogue.csv", import.meta.url), "utf8");
for (const [size, dimensions] of Object.entries(sizes)) {
  const page = await open("/api/doc/appariement", dimensions);
  const drop = async (text) => {
    const files = await page.evaluateHandle((text) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([text], "catalogue.csv", { type: "text/csv" }));
      return transfer;
    }, text);
    await page.dispatchEvent("h1", "drop", { dataTransfer: files });
  };
  const start = faults.length;
  await page.fill("#key", "une-autre");
  await drop(catalogue);
  await page.waitForSelector("#summary .error");
  check((await page.textContent("#summary")).includes("clé est refusée"), `appariement ${size}: ${await page.textContent("#summary")}`);
  // The refusal is a 401, which the browser reports.
  faults.splice(start, faults.length, ...faults.slice(start).filter((f) => !f.includes("401")));
  await page.fill("#key", "essai-des-pages");
  await page.fill("#date", "2025-08-31");
  await drop(catalogue);
  await page.waitForFunction(() => document.getElementById("announce").textContent === "6 lignes appariées.");
  check((await page.locator("#preview tbody tr").count()) === 6, `appariement ${size}: no preview`);
  // On a phone its table scrolls; words are not cut letter by letter to make it fit.
  const scrolls = await page.evaluate(() => { const table = document.querySelector("#preview .scroll"); return table.scrollWidth > table.clientWidth; });
  check(scrolls || size !== "telephone", `appariement ${size}: words of the preview are cut`);
  const told = await page.evaluate(() => [...document.querySelectorAll("#summary .bar")].map((b) => b.getAttribute("aria-label")));
  check(told.length >= 4 && told[0].startsWith("33,3"), `appariement ${size}: ${told}`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Réponse en CSV")]);
  const answer = readFileSync(await download.path(), "utf8");
  check(download.suggestedFilename() === "catalogue.csv.apparie.csv", download.suggestedFilename());
  check(answer.split("\r\n").length === 8 && answer.includes(";couvert;"), `appariement ${size}: ${answer.slice(0, 200)}`);
  await page.fill("#c-UAI_GES", "9749801K");
  await page.fill("#c-CODEMEF", "2389901133");
  await page.click("text=Expliquer");
  await page.waitForSelector("#explanation ol");
  const explained = await page.textContent("#explanation");
  check(explained.includes("moins de 20 jeunes") && !explained.includes("%"), `appariement ${size}: ${explained}`);
  await page.fill("#s-uai", "9749802l");
  await page.click("#suggestions button");
  await page.waitForSelector("#suggestion-list tbody tr");
  await accessible(page, `appariement, rempli ${size}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  check(wide <= 0, `appariement, rempli ${size}: ${wide} px too wide`);
  await page.screenshot({ path: join(pictures, `appariement-rempli-${size}.png`), fullPage: true });
  // A file that is none.
  const before = faults.length;
  await drop("UAI;CODEMEF\n1;2\n");
  await page.waitForSelector("#summary .error");
  check((await page.textContent("#summary")).includes("Colonnes trouvées : UAI, CODEMEF"), await page.textContent("#summary"));
  faults.splice(before, faults.length, ...faults.slice(before).filter((f) => !f.includes("400")));
  await page.close();
}

// A call tried from the documentation.
const doc = await open("/api/doc", sizes.bureau);
await doc.waitForSelector(".opblock", { timeout: 20_000 });
await doc.click("#operations-recherche-recherche button.opblock-summary-control");
await doc.click("#operations-recherche-recherche .execute");
await doc.waitForSelector("#operations-recherche-recherche .live-responses-table tbody .response-col_status");
check((await doc.textContent("#operations-recherche-recherche .live-responses-table tbody .response-col_status")).includes("200"), "try it: no 200");
await doc.screenshot({ path: join(pictures, "essai-bureau.png") });
await context.close();

for (const fault of faults) console.log(`- ${fault}`);
console.log(`pages: ${Object.keys(views).length * Object.keys(sizes).length} views, keyboard path, bytes, ${whole ? "narrow, large, dark, " : ""}without scripts, ${tried.size} links, catalogues, try-it call: ${faults.length} fault(s); pictures in ${pictures}`);
process.exit(faults.length ? 1 : 0);
