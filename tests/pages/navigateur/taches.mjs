// Twelve tasks of those who come to the site, each with a clock: on a phone, on a desktop, by keyboard alone, with text twice as
// large, without scripts; what they would print fits on one page with its charts. Keeps a picture of where each task ends.
//   node taches.mjs http://127.0.0.1:3000 PICTURES_FOLDER [WAY]
// With a way, such as `bureau`, in that one alone, and nothing is printed.
import { chromium } from "playwright-core";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [base, pictures, way] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
const faults = [];
// Far above what a task takes here: what waits for something that never comes is told apart from what is slow.
const TASK_MAX_MS = 20_000;

class Visitor {
  constructor(page, keyboard) { this.page = page; this.keyboard = keyboard; this.steps = 0; }
  async open(path) { await this.page.goto(base + path); }
  /** To an element, by Tab where there is no mouse. */
  async reach(selector) {
    const matches = (selector) => document.activeElement?.matches(selector);
    for (let i = 0; i < 200; i++) {
      if (await this.page.evaluate(matches, selector)) return;
      await this.page.keyboard.press("Tab");
    }
    throw new Error(`${selector} is not reached by keyboard`);
  }
  async write(selector, text) {
    this.steps++;
    if (!this.keyboard) return this.page.fill(selector, text);
    await this.reach(selector);
    await this.page.keyboard.press("Control+a");
    await this.page.keyboard.type(text);
  }
  async press(selector, leads) {
    this.steps++;
    const act = async () => {
      if (!this.keyboard) return this.page.locator(selector).first().click();
      await this.reach(selector);
      await this.page.keyboard.press("Enter");
    };
    if (leads) await Promise.all([this.page.waitForURL(leads), act()]); else await act();
  }
  async choose(selector, value) {
    this.steps++;
    if (!this.keyboard) return this.page.selectOption(selector, value);
    await this.reach(selector);
    for (let i = 0; i < 40 && (await this.page.inputValue(selector)) !== value; i++) await this.page.keyboard.press("ArrowDown");
  }
  async sees(text) {
    const found = await this.page.locator("main").innerText();
    if (!found.includes(text)) throw new Error(`"${text}" is not seen`);
  }
  async seesAll(selector, count) {
    const found = await this.page.locator(selector).count();
    if (found < count) throw new Error(`${selector}: ${found}, not ${count}`);
  }
}

const search = async (v, q) => {
  await v.open("/");
  await v.write("#q", q);
  await v.press("form[role=search] button", /recherche/);
};
const certification = async (v) => {
  await search(v, "accueil exemple");
  await v.press(".results a", /certifications/);
};
const tasks = [
  ["eleve-un-diplome", async (v) => { await certification(v); await v.sees("Sur 100 jeunes"); }],
  ["eleve-lycee-ou-apprentissage", async (v) => { await certification(v); await v.seesAll(".voie", 2); await v.sees("En apprentissage"); }],
  ["eleve-comparer", async (v) => {
    await certification(v);
    await v.press(".actions a[href*=comparer]", /comparer/);
    await v.write("#q", "vente");
    await v.press(".search-line button", /q=vente/);
    await v.press(".results a", /avec=.*avec=/);
    await v.seesAll(".compared > li", 2);
  }],
  ["parent-etablissements-proches", async (v) => {
    await certification(v);
    await v.choose("#region", "04");
    await v.press("form[action*=certifications] button", /region=04/);
    await v.seesAll("#etablissements .ranking li", 1);
  }],
  ["parent-chiffres-absents", async (v) => {
    await v.open("/etablissements/0359834Z/16X99082");
    await v.sees("moins de 20");
    await v.press(".notice a[href*=seuil]", /methode/);
    await v.sees("Pourquoi certains chiffres manquent");
  }],
  ["parent-que-veut-dire", async (v) => {
    await certification(v);
    await v.press(".definitions summary");
    await v.sees("emploi salarié en France");
  }],
  ["conseiller-filtrer", async (v) => {
    await v.open("/recherche");
    await v.choose("#niveau", "bac-pro");
    await v.choose("#region", "04");
    await v.press("form.facets button", /region=04/);
    await v.seesAll(".results li", 1);
    await v.press(".results a", /certifications/);
    await v.page.goBack();
    if (!v.page.url().includes("niveau=bac-pro")) throw new Error("Back loses the filter");
  }],
  ["conseiller-annees", async (v) => { await certification(v); await v.sees("Année après année"); await v.seesAll(".years li", 2); }],
  ["chef-integrer", async (v) => {
    await search(v, "lycée du canal la réunion");
    await v.press(".results a[href*=etablissements]", /etablissements/);
    await v.press(".ranking .name a", /etablissements\/.*\//);
    await v.press("#integrer summary");
    await v.sees("<img src=");
  }],
  ["chef-signaler", async (v) => {
    await v.open("/etablissements/9749801K");
    await v.press(".actions a[href*=contact]", /contact/);
    await v.sees("Signaler une erreur");
  }],
  ["journaliste-chiffre-national", async (v) => {
    await certification(v);
    await v.sees("Région par région");
    const link = await v.page.getAttribute("a[href$='.csv']", "href");
    const answer = await v.page.request.get(new URL(link, v.page.url()).href);
    const text = await answer.text();
    if (!answer.ok() || !text.includes('"France"') || text.trim().split("\r\n").length < 3) throw new Error(`CSV: ${text.slice(0, 200)}`);
  }],
  ["decideur-une-region", async (v) => {
    await v.open("/recherche?q=accueil+exemple&region=04");
    await v.press(".results a", /region=04/);
    await v.sees("La Réunion");
    await v.seesAll(".bar", 1);
  }],
];

const modes = {
  bureau: { viewport: { width: 1280, height: 900 } },
  telephone: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
  clavier: { viewport: { width: 1280, height: 900 }, keyboard: true },
  "texte-200": { viewport: { width: 1280, height: 900 }, large: true },
  "sans-script": { viewport: { width: 360, height: 740 }, javaScriptEnabled: false },
};
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const played = Object.entries(modes).filter(([mode]) => !way || mode === way);
if (!played.length) throw new Error(`${way} is none of ${Object.keys(modes).join(", ")}`);
const table = [];
for (const [mode, { keyboard = false, large = false, ...options }] of played) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(10_000);
  if (large) await context.addInitScript(() => addEventListener("DOMContentLoaded", () => { document.documentElement.style.fontSize = "200%"; }));
  for (const [name, play] of tasks) {
    const page = await context.newPage();
    const visitor = new Visitor(page, keyboard);
    const start = performance.now();
    try {
      await play(visitor);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (wide > 0) throw new Error(`${wide} px too wide`);
      if (performance.now() - start > TASK_MAX_MS) throw new Error("too slow");
    } catch (error) {
      faults.push(`${name} (${mode}): ${error.message.split("\n")[0]} at ${page.url()}`);
    }
    table.push([name, mode, visitor.steps, Math.round(performance.now() - start)]);
    await page.screenshot({ path: join(pictures, `tache-${name}-${mode}.png`) });
    await page.close();
  }
  await context.close();
}

// Printed: one page with its charts.
const page = await browser.newPage();
for (const [name, path] of way ? [] : Object.entries({ certification: "/certifications/40099011", region: "/certifications/40099011?region=04", formation: "/etablissements/9749801K/01099051" })) {
  await page.goto(base + path);
  const pdf = await page.pdf({ format: "A4", margin: { top: "1cm", bottom: "1cm", left: "1cm", right: "1cm" } });
  writeFileSync(join(pictures, `imprime-${name}.pdf`), pdf);
  const pages = (pdf.toString("latin1").match(/\/Type\s*\/Page\b/g) || []).length;
  if (pages !== 1) faults.push(`${path}: ${pages} pages printed`);
  await page.emulateMedia({ media: "print" });
  if ((await page.locator(".bar:visible").count()) === 0) faults.push(`${path}: no chart printed`);
  await page.emulateMedia({ media: null });
}
await browser.close();

for (const row of table) console.log(row.join("\t"));
for (const fault of faults) console.log(`- ${fault}`);
console.log(`tasks: ${tasks.length} in ${played.length} ways, ${faults.length} fault(s); pictures in ${pictures}`);
process.exit(faults.length ? 1 : 0);
