// Matches a catalogue in the browser: the file is cut into pieces of whole rows, each piece is answered by the public
// route, and the answers become one file. Nothing is stored, here or there.
import { $, call, el, number, share, table } from "./common.js";

const announce = $("announce"), preview = $("preview"), summary = $("summary");
const API = "../appariement/";
const PIECE = 256 * 1024;
const fault = (message, help) => el("p", { class: "notice error" }, message, help ? " " + help : "");
// A call that was not answered.
const SILENT = { response: { ok: false }, body: null };

// --- reasons ----------------------------------------------------------------------------------------
let reasons = new Map();
const ready = call(API + "raisons").then(({ body }) => {
  reasons = new Map((body?.raisons || []).map((r) => [r.code, r]));
}).catch(() => {});
const label = (code) => reasons.get(code)?.libelle || code;

// --- cutting a file ---------------------------------------------------------------------------------
// The text of the file: UTF-8 where it is, else Windows-1252, which is what Excel writes.
async function textOf(file) {
  const bytes = await file.arrayBuffer();
  try { return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes); }
  catch { return new TextDecoder("windows-1252").decode(bytes); }
}
// Whole rows: a line end between quotes is none.
function* rowsOf(content, quotes) {
  let start = 0, open = false;
  for (let i = 0; i < content.length; i++) {
    const c = content[i];
    if (quotes && c === "\"") open = !open;
    else if (c === "\n" && !open) { yield content.slice(start, i + 1); start = i + 1; }
  }
  if (start < content.length) yield content.slice(start);
}
function* pieces(content) {
  const first = content.replace(/^\ufeff/, "").trimStart()[0];
  if (first === "[") { content = JSON.parse(content).map((o) => JSON.stringify(o) + "\n").join(""); }
  const csv = first !== "[" && first !== "{";
  let names = "", piece = "", seen = false;
  for (const row of rowsOf(content, csv)) {
    if (csv && !names) { names = row.endsWith("\n") ? row : row + "\n"; continue; }
    piece += row;
    if (piece.length >= PIECE) { seen = true; yield { csv, body: names + piece }; piece = ""; }
  }
  if (piece || !seen) yield { csv, body: names + piece };
}

// --- a whole catalogue ------------------------------------------------------------------------------
let stop = null;
$("stop").addEventListener("click", () => stop?.abort());
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (e) => {
    e.preventDefault();
    if (kind === "drop" && e.dataTransfer?.files.length) { $("file").files = e.dataTransfer.files; match(); }
  });
}
$("upload").addEventListener("submit", (e) => { e.preventDefault(); match(); });

function add(sums, key, n) { sums.set(key, (sums.get(key) || 0) + n); }

async function match() {
  const file = $("file").files[0];
  preview.replaceChildren(); summary.replaceChildren();
  if (!file) { announce.textContent = "Choisissez d’abord un fichier."; return; }
  await ready;
  stop = new AbortController();
  $("stop").hidden = false;
  const totals = { reason: new Map(), type: new Map(), total: 0 };
  const output = [];
  let generation = "", first = true;
  try {
    const content = await textOf(file);
    let read = 0;
    for (const { csv, body } of pieces(content)) {
      let next = 1;
      while (next) {
        const p = new URLSearchParams({ voie: $("track").value, a_partir: next });
        if ($("date").value) p.set("date_campagne", $("date").value);
        if (generation) p.set("generation", generation);
        const { response, body: refusal } = await call(API + "formations?" + p, {
          method: "POST", signal: stop.signal, body: new Blob([body]),
          headers: { "x-api-key": $("key").value, "content-type": csv ? "text/csv; charset=utf-8" : "application/x-ndjson", accept: "application/x-ndjson" },
        });
        if (!response.ok) {
          announce.textContent = "";
          summary.replaceChildren(fault(response.status === 401 ? "La clé est refusée." : refusal?.message || "Le service ne répond pas.", refusal?.aide));
          return;
        }
        generation = response.headers.get("x-generation") || generation;
        next = 0;
        for (const line of (await response.text()).split("\n")) {
          if (!line) continue;
          const o = JSON.parse(line);
          if (o.suite?.ligne) { next = o.suite.ligne; continue; }
          output.push(o);
          totals.total++;
          add(totals.reason, o.raison, 1);
          const key = Object.keys(o).find((name) => name.toUpperCase() === "LIBFORMATION");
          const type = (key && o[key]) || "type non dit";
          if (!totals.type.has(type)) totals.type.set(type, { total: 0, covered: 0 });
          const t = totals.type.get(type);
          t.total++;
          if (o.raison === "couvert") t.covered++;
        }
      }
      read += body.length;
      announce.textContent = `${number(totals.total)} lignes, ${share(Math.min(read, content.length), content.length)} du fichier…`;
      if (first) { showPreview(output.slice(0, 10)); first = false; }
    }
    announce.textContent = `${number(totals.total)} lignes appariées.`;
    showSummary(totals, output, file.name);
  } catch (e) {
    announce.textContent = e.name === "AbortError" ? "Arrêté." : "";
    if (e.name !== "AbortError") summary.replaceChildren(fault("Le fichier ou la réponse n’a pas pu être lu.", e.message));
  } finally {
    $("stop").hidden = true;
  }
}

function showPreview(rows) {
  const columns = ["CODEFORMATIONACCUEIL", "code_certification_retenu", "source", "forme", "uai", "raison", "taux_en_emploi_6_mois", "taux_en_formation", "taux_autres_6_mois"];
  preview.replaceChildren(table("Aperçu des premières lignes", columns, rows.map((o) => columns.map((c) => (c === "raison" ? label(o[c]) : String(o[c] ?? ""))))));
}

function showSummary(totals, output, name) {
  const order = [...totals.reason].sort((a, b) => b[1] - a[1]);
  const bars = order.map(([code, n]) => el("div", null,
    el("div", null, `${label(code)} `, el("b", null, `${number(n)} (${share(n, totals.total)})`)),
    el("div", { class: "bar", style: "height:1rem", role: "img", "aria-label": share(n, totals.total) },
      el("span", { class: code === "couvert" ? "employment" : "other", style: `width:${totals.total ? (100 * n) / totals.total : 0}%` }))));
  const toMend = order.map(([code, n]) => [reasons.get(code), n]).filter(([r]) => r && r.qui === "l'établissement");
  const types = [...totals.type].sort((a, b) => b[1].total - a[1].total).slice(0, 30);
  summary.replaceChildren(
    el("h3", null, "Bilan par raison"), ...bars,
    toMend.length ? table("Ce que l’établissement peut corriger d’abord", ["Raison", "Lignes", "Où"], toMend.map(([r, n]) => [r.libelle, number(n), r.comment])) : null,
    table("Par type de diplôme", ["Type", "Lignes", "Couvertes"], types.map(([t, s]) => [t, number(s.total), `${number(s.covered)} (${share(s.covered, s.total)})`])),
    el("p", null,
      el("button", { type: "button", onclick: () => download(csv(output), name + ".apparie.csv", "text/csv") }, "Réponse en CSV"), " ",
      el("button", { type: "button", class: "quiet", onclick: () => download(output.map((o) => JSON.stringify(o)).join("\n"), name + ".apparie.ndjson", "application/x-ndjson") }, "en NDJSON")));
}

function csv(rows) {
  const columns = [...new Set(rows.flatMap((o) => Object.keys(o)))];
  const cell = (v) => { const t = v == null ? "" : typeof v === "object" ? JSON.stringify(v) : String(v); return /[;"\r\n]/.test(t) ? "\"" + t.replaceAll("\"", "\"\"") + "\"" : t; };
  return "\ufeff" + [columns, ...rows.map((o) => columns.map((c) => o[c]))].map((l) => l.map(cell).join(";")).join("\r\n") + "\r\n";
}
function download(content, name, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// --- one row ----------------------------------------------------------------------------------------
const CELLS = ["UAI_COMPOSANTE", "UAI_AFF", "UAI_GES", "APPRENTISSAGEOUSCOLAIRE", "CODEMEF", "CODECFD", "CODESISE", "LISTE_RNCP", "LISTE_IDEO", "ID_RCO"];
$("cells").append(...CELLS.map((name) => el("div", null, el("label", { for: "c-" + name }, name), el("input", { id: "c-" + name, autocomplete: "off" }))));
$("line").addEventListener("submit", async (e) => {
  e.preventDefault();
  await ready;
  const p = new URLSearchParams({ explication: 1, blocs: "insertion,salaire" });
  for (const name of CELLS) if ($("c-" + name).value.trim()) p.set(name.toLowerCase(), $("c-" + name).value.trim());
  if ($("date").value) p.set("date_campagne", $("date").value);
  const { response, body } = await call(API + "formation?" + p).catch(() => SILENT);
  if (!response.ok) { $("explanation").replaceChildren(fault(body?.message || "Le service ne répond pas.", body?.aide)); return; }
  const x = body.explication, words = { couvert: "couvert", sous_seuil: "moins de 20 jeunes", non_couvert: "pas d’indicateur" };
  const steps = [
    el("li", null, x.codes.length ? "Codes trouvés : " : "Aucun identifiant de la ligne n’a été donné.",
      el("ul", null, x.codes.map((c) => el("li", null, `${c.type_certification} (${c.forme}, ${c.anciennete}) : ${c.codes.join(", ") || "aucun code"}${c.validite === "plusieurs_codes" ? " — refusé, car ambigu" : ""}`)))),
    el("li", null, "Établissements interrogés : " + (x.etablissements.map((u) => `${u.uai} (${u.champ_uai})`).join(", ") || "aucun")),
    el("li", null, "Essais, dans l’ordre : ", el("ul", null, x.essais.map((t) => el("li", null,
      `${t.source} → ${t.codes.join(", ") || "rien"} : ${t.refus ? label(t.refus) : t.etablissements.map((u) => `${u.uai} ${words[u.couverture] || u.couverture}`).join(" ; ") || "aucun établissement"}`)))),
    el("li", null, "Résultat : ", el("b", null, label(body.raison)), body.correction ? ` ${body.correction.comment}` : ""),
  ];
  const figures = body.raison === "couvert"
    ? el("p", null, `En emploi à 6 mois : ${body.taux_en_emploi_6_mois} % ; en formation : ${body.taux_en_formation} % ; autres : ${body.taux_autres_6_mois} % (${body.code_certification_donnee}, ${body.uai}, forme ${body.forme}, millésime ${body.millesime || "non dit"}).`) : null;
  $("explanation").replaceChildren(el("ol", null, steps), figures || "");
});

// --- suggestions ------------------------------------------------------------------------------------
$("suggestions").addEventListener("submit", async (e) => {
  e.preventDefault();
  const p = new URLSearchParams();
  if ($("s-rncp").value.trim()) p.set("rncp", $("s-rncp").value.trim());
  if ($("s-q").value.trim()) p.set("q", $("s-q").value.trim());
  const uai = encodeURIComponent($("s-uai").value.trim().toUpperCase());
  const { response, body } = await call(`${API}etablissements/${uai}/suggestions?${p}`).catch(() => SILENT);
  const place = $("suggestion-list");
  if (!response.ok) { place.replaceChildren(fault(body?.message || "Le service ne répond pas.", body?.aide)); return; }
  place.replaceChildren(table(`${number(body.total)} certifications`, ["Code", "Libellé", "RNCP", "Où", "Correspond"],
    body.suggestions.map((s) => [s.code_certification, s.libelle || "—", s.rncp.join(", "), s.etablissements.map((u) => `${u.uai} (${u.lien})`).join(", "), s.correspond ? "oui" : ""])));
});
