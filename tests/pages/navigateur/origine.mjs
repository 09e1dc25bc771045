// Calls the API from a page of another origin, as a script of a re-user does: a document, a list with a key, what has not changed,
// what is refused, a lot, an image; with the headers that it reads, and one preflight that the browser keeps.
//   node origine.mjs http://127.0.0.1:3000
import { chromium } from "playwright-core";
import { createServer, request } from "node:http";
import { once } from "node:events";

const [service] = process.argv.slice(2);
const KEY = "essai-des-pages";
const DOCUMENT = "/api/inserjeunes/certifications/40099011";
const LIST = "/api/inserjeunes/formations?items_par_page=2";
const faults = [];
const check = (ok, what) => { if (!ok) faults.push(what); };

// The page of the re-user. Another port is another origin; this one allows nothing and keeps nothing.
const server = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html><title>Réutilisateur</title>"));
server.listen(0, "127.0.0.1");
await once(server, "listening");
const origin = `http://127.0.0.1:${server.address().port}`;

// Between the browser and the service: hands everything on, and counts what is asked beforehand.
let preflights = [];
const between = createServer((asked, answer) => {
  if (asked.method === "OPTIONS") preflights.push(asked.url);
  const { hostname, port } = new URL(service);
  const onward = request({ hostname, port, method: asked.method, path: asked.url, headers: asked.headers }, (got) => {
    answer.writeHead(got.statusCode, got.rawHeaders);
    got.pipe(answer);
  });
  onward.on("error", () => answer.destroy());
  asked.pipe(onward);
});
between.listen(0, "127.0.0.1");
await once(between, "listening");
const base = `http://127.0.0.1:${between.address().port}${new URL(service).pathname.replace(/\/$/, "")}`;
check(origin !== new URL(base).origin, `${origin} is no other origin`);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage();
await page.goto(origin);

/** What a script of the page sees of an answer; `null` where the browser gives it nothing. */
const call = (path, options = {}) => page.evaluate(async ([url, options]) => {
  try {
    const answer = await fetch(url, options);
    return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
  } catch { return null; }
}, [base + path, options]);
const sees = (what, answer, status, headers) => {
  check(answer?.status === status, `${what}: ${answer ? `${answer.status} ${answer.text.slice(0, 200)}` : "the browser gives nothing"}`);
  for (const name of headers) check(answer?.headers[name], `${what}: no ${name}`);
};

// A document, without a key: nothing is asked beforehand.
const document = await call(DOCUMENT);
sees("document", document, 200, ["etag"]);
check(JSON.parse(document.text).code_certification === "40099011", `document: ${document.text.slice(0, 200)}`);
check(preflights.length === 0, `document: asked beforehand: ${preflights}`);

// The same, asked whether it changed: the script sees the 304.
const again = await call(DOCUMENT, { headers: { "If-None-Match": document.headers.etag } });
sees("revalidation", again, 304, ["etag"]);
check(again?.text === "" && preflights.length === 1, `revalidation: ${again?.text} ${preflights}`);

// A list with a key, twice, the second time after what a browser keeps unasked (5 s).
preflights = [];
const list = await call(LIST, { headers: { "X-Api-Key": KEY } });
sees("list", list, 200, ["x-total-count", "x-row-count", "x-generation", "link"]);
check(JSON.parse(list.text).formations.length === Number(list.headers["x-row-count"]), `list: ${list.headers["x-row-count"]} rows`);
check(preflights.length === 1, `list: asked beforehand: ${preflights}`);
await page.waitForTimeout(6_000);
sees("list again", await call(LIST, { headers: { "X-Api-Key": KEY } }), 200, ["x-generation"]);
check(preflights.length === 1, `list again: asked once more: ${preflights}`);
// Its next page, where the header leads.
const next = list.headers.link?.match(/<([^>]+)>; rel="next"/)?.[1];
const there = new URL(next ?? "/", new URL(base + LIST)).href;
check(there.startsWith(base + "/"), `the next page: ${there}`);
sees("next page", await call(there.slice(base.length), { headers: { "X-Api-Key": KEY } }), 200, ["x-generation"]);
// An export says its name.
const csv = await call("/api/inserjeunes/certifications.csv", { headers: { "X-Api-Key": KEY } });
sees("export", csv, 200, ["content-disposition", "x-row-count"]);

// What is refused tells why, with and without a key; so does what is wrong or not there.
for (const [path, options, status, message] of [
  [LIST, {}, 401, "Not authorized"],
  [LIST, { headers: { "X-Api-Key": "une-autre" } }, 401, "Not authorized"],
  [LIST, { headers: { Authorization: "Bearer x" } }, 401, "Not authorized"],
  [`${DOCUMENT}?inconnu=1`, {}, 400, "Erreur de validation"],
  ["/api/inserjeunes/certifications/99999999", {}, 404, "Certification inconnue"],
]) {
  const refused = await call(path, options);
  sees(path, refused, status, status === 400 ? [] : ["link"]);
  check(refused && JSON.parse(refused.text).message === message, `${path}: ${refused?.text}`);
}

// Several documents in one call.
const lot = await call("/api/inserjeunes/lots", {
  method: "POST",
  headers: { "X-Api-Key": KEY, "Content-Type": "application/json" },
  body: JSON.stringify({ demandes: [{ code_certification: "40099011" }] }),
});
sees("lot", lot, 200, ["x-row-count"]);

// An image may be drawn on a canvas and read back.
const drawn = await page.evaluate(async (url) => {
  const image = Object.assign(new Image(), { crossOrigin: "anonymous", src: url });
  await image.decode();
  const canvas = Object.assign(window.document.createElement("canvas"), { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL().length;
}, `${base}${DOCUMENT}.svg`).catch((error) => String(error));
check(drawn > 5_000, `image: ${drawn}`);

// What is not allowed is not sent: the test sees what a browser does.
check((await call(DOCUMENT, { headers: { "X-Autre": "1" } })) === null, "a header that nobody allowed was sent");

await browser.close();
for (const one of [server, between]) { one.closeAllConnections(); one.close(); }
for (const fault of faults) console.log(`- ${fault}`);
console.log(`another origin: document, list with a key, 304, refusals, lot, image, preflights: ${faults.length} fault(s)`);
process.exit(faults.length ? 1 : 0);
