// Les appels de tous les jours, en JavaScript (Node.js ou navigateur) : URL=… CLE=… node appels.mjs
const address = process.env.URL ?? "http://127.0.0.1:3000";
const key = process.env.CLE;

// Un document, gardé avec son ETag : 304 tant que rien n'a changé.
const kept = new Map();
export async function getDocument(path) {
  const known = kept.get(path);
  const answer = await fetch(address + path, { headers: known ? { "if-none-match": known.etag } : {} });
  if (answer.status === 304) return { ...known, fromCache: true };
  const body = await answer.json();
  // 404 : pas de données, ne pas réessayer ; 503 : réessayer après Retry-After.
  if (!answer.ok) return { status: answer.status, message: body.message, years: body.data?.millesimesDisponible };
  const entry = { status: 200, body, etag: answer.headers.get("etag") };
  kept.set(path, entry);
  return entry;
}

// Toutes les lignes d'une liste, page par page : l'en-tête Link mène à la suivante.
export async function* listRows(path) {
  let next = new URL(path, address).href;
  while (next) {
    const answer = await fetch(next, { headers: { "x-api-key": key } });
    if (!answer.ok) throw new Error(`${answer.status} : ${(await answer.json()).message}`);
    const { pagination, ...lists } = await answer.json();
    for (const rows of Object.values(lists)) yield* rows;
    const link = /<([^>]*)>; rel="next"/.exec(answer.headers.get("link") ?? "");
    next = link && new URL(link[1], answer.url).href;
  }
}

// Un chiffre, ou pourquoi il n'y en a pas.
export function show(document, field) {
  if (!(field in document)) return "inconnu";
  return document[field] === null ? "moins de 20 jeunes, ou non calculable" : `${document[field]} %`;
}

const one = await getDocument("/api/inserjeunes/certifications/40099013");
console.log(one.body.libelle, ":", show(one.body, "taux_en_emploi_6_mois"));
const again = await getDocument("/api/inserjeunes/certifications/40099013");
console.log("de nouveau :", again.fromCache ? "304, inchangé" : "changé");
const missing = await getDocument("/api/inserjeunes/certifications/40099013?millesime=1999");
console.log(missing.message, ":", missing.years.join(", "));
let count = 0;
for await (const row of listRows("/api/inserjeunes/regionales?regions=11&items_par_page=20")) count += row.millesime ? 1 : 0;
console.log(count, "lignes en Île-de-France");
