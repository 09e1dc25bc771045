// Opens every page in Chromium at desktop and phone width: no console error, no request to another
// host, the keyboard path from search to snippet, no serious accessibility finding. Keeps pictures.
//   node essai.mjs http://127.0.0.1:3000 PICTURES_FOLDER
import { chromium } from "playwright-core";
import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [base, pictures] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(pictures, { recursive: true });
const faults = [];
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
  page.on("console", (m) => { if (m.type() === "error") faults.push(`${path}: console: ${m.text()}`); });
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
  await page.evaluate(axe);
  const found = await page.evaluate((exclude) => globalThis.axe.run(exclude.length ? { exclude } : document), exclude);
  for (const v of found.violations.filter((v) => ["serious", "critical"].includes(v.impact))) {
    faults.push(`${name}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(" | ")}`);
  }
}

const sizes = { bureau: { width: 1280, height: 900 }, telephone: { width: 360, height: 740 } };
const views = {
  accueil: "/",
  resultats: "/#q=exemple",
  etablissement: "/#u=9749801K",
  certification: "/#c=40099013",
  "seuil-masque": "/#c=16X99082&r=53&e=0359834Z",
  "sans-donnees": "/#c=99999999",
  erreurs: "/api/doc/erreurs",
  etat: "/etat",
  documentation: "/api/doc",
  appariement: "/api/doc/appariement",
};

for (const [size, dimensions] of Object.entries(sizes)) {
  for (const [name, path] of Object.entries(views)) {
    const start = faults.length;
    const page = await open(path, dimensions);
    if (name === "documentation") await page.waitForSelector(".opblock", { timeout: 20_000 });
    // The tool that shows the description is not ours: its findings are told apart.
    await accessible(page, `${name} ${size}`, name === "documentation" ? [["#swagger"]] : []);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    check(wide <= 0, `${name} ${size}: ${wide} px too wide`);
    if (name === "accueil") check(page.bytes < 150 * 1024, `${name}: ${page.bytes} bytes`);
    // A call for what is not there is answered by a 404, which the browser reports: that view asks for it.
    if (name === "sans-donnees") faults.splice(start, faults.length, ...faults.slice(start).filter((f) => !f.includes("404")));
    await page.screenshot({ path: join(pictures, `${name}-${size}.png`), fullPage: name !== "documentation" });
    await page.close();
  }
}

// By keyboard alone: search, result, place, snippet.
const page = await open("/", sizes.bureau);
const focus = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName);
const until = async (ok, what) => {
  const seen = [];
  for (let i = 0; i < 60; i++) {
    if (await page.evaluate(ok)) return;
    await page.keyboard.press("Tab");
    seen.push(await page.evaluate(() => document.activeElement.getAttribute("aria-label") || document.activeElement.id || document.activeElement.tagName));
  }
  faults.push(`keyboard: ${what} is not reached: ${seen.join(", ")}`);
};
await page.keyboard.press("Tab");
check((await page.evaluate(() => document.activeElement.textContent)) === "Aller au contenu", "keyboard: no skip link");
await until(() => document.activeElement.id === "q", "the search field");
await page.keyboard.type("accueil exemple");
await page.waitForFunction(() => document.getElementById("annonce").textContent.includes("résultat"));
await until(() => document.activeElement.matches(".results a"), "a result");
await page.keyboard.press("Enter");
await page.waitForSelector("pre");
check((await focus()) === "H2", `keyboard: after a result the focus is on ${await focus()}`);
await until(() => document.activeElement.id === "region", "the choice of the region");
await page.keyboard.press("ArrowDown");
await page.waitForFunction(() => document.querySelector("pre[aria-label=Python]")?.textContent.includes("/regionales/"));
check((await focus()) === "region", `keyboard: after the choice the focus is on ${await focus()}`);
await until(() => document.activeElement.matches("pre[aria-label=Python]"), "the Python snippet");
// What is copied elsewhere is whole, and holds where the pages lie.
for (const [label, start] of [["Code à intégrer", `<img src="${base}/api/inserjeunes/`], ["curl", `curl '${base}/api/inserjeunes/`], ["L’appel", `GET ${base}/api/inserjeunes/`]]) {
  const text = await page.textContent(`pre[aria-label="${label}"]`);
  check(text.startsWith(start), `${label}: ${text}`);
}
check(await page.evaluate(() => document.querySelector("img.image").decode().then(() => true, () => false)), "the image is not drawn");
const embedded = (await page.textContent("pre[aria-label='Code à intégrer']")).match(/src="([^"]+)"/)[1];
check((await context.request.get(embedded)).ok(), `no image at ${embedded}`);
// Every link of every page leads to an answer.
for (const path of ["/", "/etat", "/etat/", "/api/doc", "/api/doc/", "/api/doc/erreurs", "/api/doc/erreurs/"]) {
  await page.goto(base + path, { waitUntil: "networkidle" });
  for (const link of new Set(await page.evaluate(() => [...document.querySelectorAll("a[href]")].map((a) => a.href)))) {
    if (!link.startsWith(new URL(base).origin)) continue; // a licence, elsewhere
    check(link.startsWith(base), `${path}: a link to ${link}`);
    const answer = await context.request.get(link, { headers: { accept: "text/html,*/*" } });
    check(answer.ok(), `${path}: ${answer.status()} at ${link}`);
  }
}
await page.close();

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
  await page.click("text=Chercher");
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
await doc.click("#operations-Recherche-recherche button.opblock-summary-control");
await doc.click("#operations-Recherche-recherche .execute");
await doc.waitForSelector("#operations-Recherche-recherche .live-responses-table tbody .response-col_status");
check((await doc.textContent("#operations-Recherche-recherche .live-responses-table tbody .response-col_status")).includes("200"), "try it: no 200");
await doc.screenshot({ path: join(pictures, "essai-bureau.png") });
await context.close();

for (const fault of faults) console.log(`- ${fault}`);
console.log(`pages: ${Object.keys(views).length * 2} views, keyboard path, catalogues, try-it call: ${faults.length} fault(s); pictures in ${pictures}`);
process.exit(faults.length ? 1 : 0);
