"use strict";
// Matches a catalogue in the browser: the file is cut into pieces of whole rows, each piece is answered by the public
// route, and the answers become one file. Nothing is stored, here or there.
const $ = (id) => document.getElementById(id);
const annonce = $("annonce"), apercu = $("apercu"), bilan = $("bilan");
const API = "../appariement/";
const MORCEAU = 256 * 1024;

function el(nom, attributs, ...enfants) {
  const e = document.createElement(nom);
  for (const [cle, valeur] of Object.entries(attributs || {})) {
    if (valeur === false || valeur == null) continue;
    if (cle.startsWith("on")) e.addEventListener(cle.slice(2), valeur);
    else if (cle === "style") e.style.cssText = valeur;
    else e.setAttribute(cle, valeur === true ? "" : valeur);
  }
  e.append(...enfants.flat().filter((x) => x != null && x !== false));
  return e;
}
const nombre = (n) => new Intl.NumberFormat("fr-FR").format(n);
const part = (n, total) => new Intl.NumberFormat("fr-FR", { style: "percent", maximumFractionDigits: 1 }).format(total ? n / total : 0);
const tableau = (titre, entetes, lignes) =>
  el("div", { class: "defile", tabindex: "0" }, el("table", null, el("caption", null, titre),
    el("thead", null, el("tr", null, entetes.map((t) => el("th", { scope: "col" }, t)))),
    el("tbody", null, lignes.map((cellules) => el("tr", null, cellules.map((c) => el("td", null, c)))))));
const faute = (message, aide) => el("p", { class: "avis erreur" }, message, aide ? " " + aide : "");

async function lire(chemin, options) {
  const reponse = await fetch(chemin, options);
  let corps = null;
  try { corps = await reponse.clone().json(); } catch { /* a stream of rows */ }
  return { reponse, corps };
}

// --- reasons ----------------------------------------------------------------------------------------
let raisons = new Map();
const pretes = lire(API + "raisons").then(({ corps }) => {
  raisons = new Map((corps?.raisons || []).map((r) => [r.code, r]));
}).catch(() => {});
const libelle = (code) => raisons.get(code)?.libelle || code;

// --- cutting a file ---------------------------------------------------------------------------------
// The text of the file: UTF-8 where it is, else Windows-1252, which is what Excel writes.
async function texte(fichier) {
  const octets = await fichier.arrayBuffer();
  try { return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets); }
  catch { return new TextDecoder("windows-1252").decode(octets); }
}
// Whole rows: a line end between quotes is none.
function* rangees(contenu, guillemets) {
  let debut = 0, ouvert = false;
  for (let i = 0; i < contenu.length; i++) {
    const c = contenu[i];
    if (guillemets && c === "\"") ouvert = !ouvert;
    else if (c === "\n" && !ouvert) { yield contenu.slice(debut, i + 1); debut = i + 1; }
  }
  if (debut < contenu.length) yield contenu.slice(debut);
}
function* morceaux(contenu) {
  const premier = contenu.replace(/^\ufeff/, "").trimStart()[0];
  if (premier === "[") { contenu = JSON.parse(contenu).map((o) => JSON.stringify(o) + "\n").join(""); }
  const csv = premier !== "[" && premier !== "{";
  let noms = "", morceau = "", vu = false;
  for (const rangee of rangees(contenu, csv)) {
    if (csv && !noms) { noms = rangee.endsWith("\n") ? rangee : rangee + "\n"; continue; }
    morceau += rangee;
    if (morceau.length >= MORCEAU) { vu = true; yield { csv, corps: noms + morceau }; morceau = ""; }
  }
  if (morceau || !vu) yield { csv, corps: noms + morceau };
}

// --- a whole catalogue ------------------------------------------------------------------------------
let arret = null;
$("arret").addEventListener("click", () => arret?.abort());
for (const evenement of ["dragover", "drop"]) {
  document.addEventListener(evenement, (e) => {
    e.preventDefault();
    if (evenement === "drop" && e.dataTransfer?.files.length) { $("fichier").files = e.dataTransfer.files; apparier(); }
  });
}
$("envoi").addEventListener("submit", (e) => { e.preventDefault(); apparier(); });

function ajouter(somme, cle, n) { somme.set(cle, (somme.get(cle) || 0) + n); }

async function apparier() {
  const fichier = $("fichier").files[0];
  apercu.replaceChildren(); bilan.replaceChildren();
  if (!fichier) { annonce.textContent = "Choisissez d’abord un fichier."; return; }
  await pretes;
  arret = new AbortController();
  $("arret").hidden = false;
  const sommes = { raison: new Map(), type: new Map(), total: 0 };
  const sortie = [];
  let generation = "", premier = true;
  try {
    const contenu = await texte(fichier);
    let lus = 0;
    for (const { csv, corps } of morceaux(contenu)) {
      let suite = 1;
      while (suite) {
        const p = new URLSearchParams({ voie: $("voie").value, a_partir: suite });
        if ($("date").value) p.set("date_campagne", $("date").value);
        if (generation) p.set("generation", generation);
        const { reponse, corps: refus } = await lire(API + "formations?" + p, {
          method: "POST", signal: arret.signal, body: new Blob([corps]),
          headers: { "x-api-key": $("cle").value, "content-type": csv ? "text/csv; charset=utf-8" : "application/x-ndjson", accept: "application/x-ndjson" },
        });
        if (!reponse.ok) {
          annonce.textContent = "";
          bilan.replaceChildren(faute(reponse.status === 401 ? "La clé est refusée." : refus?.message || "Le service ne répond pas.", refus?.aide));
          return;
        }
        generation = reponse.headers.get("x-generation") || generation;
        suite = 0;
        for (const ligne of (await reponse.text()).split("\n")) {
          if (!ligne) continue;
          const o = JSON.parse(ligne);
          if (o.suite?.ligne) { suite = o.suite.ligne; continue; }
          sortie.push(o);
          sommes.total++;
          ajouter(sommes.raison, o.raison, 1);
          const cle = Object.keys(o).find((nom) => nom.toUpperCase() === "LIBFORMATION");
          const type = (cle && o[cle]) || "type non dit";
          if (!sommes.type.has(type)) sommes.type.set(type, { total: 0, couvert: 0 });
          const t = sommes.type.get(type);
          t.total++;
          if (o.raison === "couvert") t.couvert++;
        }
      }
      lus += corps.length;
      annonce.textContent = `${nombre(sommes.total)} lignes, ${part(Math.min(lus, contenu.length), contenu.length)} du fichier…`;
      if (premier) { montrerApercu(sortie.slice(0, 10)); premier = false; }
    }
    annonce.textContent = `${nombre(sommes.total)} lignes appariées.`;
    montrerBilan(sommes, sortie, fichier.name);
  } catch (e) {
    annonce.textContent = e.name === "AbortError" ? "Arrêté." : "";
    if (e.name !== "AbortError") bilan.replaceChildren(faute("Le fichier ou la réponse n’a pas pu être lu.", e.message));
  } finally {
    $("arret").hidden = true;
  }
}

function montrerApercu(lignes) {
  const colonnes = ["CODEFORMATIONACCUEIL", "code_certification_retenu", "source", "forme", "uai", "raison", "taux_en_emploi_6_mois", "taux_en_formation", "taux_autres_6_mois"];
  apercu.replaceChildren(tableau("Aperçu des premières lignes", colonnes, lignes.map((o) => colonnes.map((c) => (c === "raison" ? libelle(o[c]) : String(o[c] ?? ""))))));
}

function montrerBilan(sommes, sortie, nom) {
  const ordre = [...sommes.raison].sort((a, b) => b[1] - a[1]);
  const barres = ordre.map(([code, n]) => el("div", null,
    el("div", null, `${libelle(code)} `, el("b", null, `${nombre(n)} (${part(n, sommes.total)})`)),
    el("div", { class: "barre", style: "height:1rem", role: "img", "aria-label": part(n, sommes.total) },
      el("span", { class: code === "couvert" ? "emploi" : "autres", style: `width:${sommes.total ? (100 * n) / sommes.total : 0}%` }))));
  const corriger = ordre.map(([code, n]) => [raisons.get(code), n]).filter(([r]) => r && r.qui === "l'établissement");
  const types = [...sommes.type].sort((a, b) => b[1].total - a[1].total).slice(0, 30);
  bilan.replaceChildren(
    el("h3", null, "Bilan par raison"), ...barres,
    corriger.length ? tableau("Ce que l’établissement peut corriger d’abord", ["Raison", "Lignes", "Où"], corriger.map(([r, n]) => [r.libelle, nombre(n), r.comment])) : null,
    tableau("Par type de diplôme", ["Type", "Lignes", "Couvertes"], types.map(([t, s]) => [t, nombre(s.total), `${nombre(s.couvert)} (${part(s.couvert, s.total)})`])),
    el("p", null,
      el("button", { type: "button", onclick: () => telecharger(csv(sortie), nom + ".apparie.csv", "text/csv") }, "Réponse en CSV"), " ",
      el("button", { type: "button", class: "discret", onclick: () => telecharger(sortie.map((o) => JSON.stringify(o)).join("\n"), nom + ".apparie.ndjson", "application/x-ndjson") }, "en NDJSON")));
}

function csv(lignes) {
  const colonnes = [...new Set(lignes.flatMap((o) => Object.keys(o)))];
  const cellule = (v) => { const t = v == null ? "" : typeof v === "object" ? JSON.stringify(v) : String(v); return /[;"\r\n]/.test(t) ? "\"" + t.replaceAll("\"", "\"\"") + "\"" : t; };
  return "\ufeff" + [colonnes, ...lignes.map((o) => colonnes.map((c) => o[c]))].map((l) => l.map(cellule).join(";")).join("\r\n") + "\r\n";
}
function telecharger(contenu, nom, type) {
  const adresse = URL.createObjectURL(new Blob([contenu], { type }));
  el("a", { href: adresse, download: nom }).click();
  setTimeout(() => URL.revokeObjectURL(adresse), 10000);
}

// --- one row ----------------------------------------------------------------------------------------
const CELLULES = ["UAI_COMPOSANTE", "UAI_AFF", "UAI_GES", "APPRENTISSAGEOUSCOLAIRE", "CODEMEF", "CODECFD", "CODESISE", "LISTE_RNCP", "LISTE_IDEO", "ID_RCO"];
$("cellules").append(...CELLULES.map((nom) => el("div", null, el("label", { for: "c-" + nom }, nom), el("input", { id: "c-" + nom, autocomplete: "off" }))));
$("ligne").addEventListener("submit", async (e) => {
  e.preventDefault();
  await pretes;
  const p = new URLSearchParams({ explication: 1, blocs: "insertion,salaire" });
  for (const nom of CELLULES) if ($("c-" + nom).value.trim()) p.set(nom.toLowerCase(), $("c-" + nom).value.trim());
  if ($("date").value) p.set("date_campagne", $("date").value);
  const { reponse, corps } = await lire(API + "formation?" + p).catch(() => ({ reponse: { ok: false }, corps: null }));
  if (!reponse.ok) { $("explication").replaceChildren(faute(corps?.message || "Le service ne répond pas.", corps?.aide)); return; }
  const x = corps.explication, mots = { couvert: "couvert", sous_seuil: "moins de 20 jeunes", non_couvert: "pas d’indicateur" };
  const etapes = [
    el("li", null, x.codes.length ? "Codes trouvés : " : "Aucun identifiant de la ligne n’a été donné.",
      el("ul", null, x.codes.map((c) => el("li", null, `${c.type_certification} (${c.forme}, ${c.anciennete}) : ${c.codes.join(", ") || "aucun code"}${c.validite === "plusieurs_codes" ? " — refusé, car ambigu" : ""}`)))),
    el("li", null, "Établissements interrogés : " + (x.etablissements.map((u) => `${u.uai} (${u.champ_uai})`).join(", ") || "aucun")),
    el("li", null, "Essais, dans l’ordre : ", el("ul", null, x.essais.map((t) => el("li", null,
      `${t.source} → ${t.codes.join(", ") || "rien"} : ${t.refus ? libelle(t.refus) : t.etablissements.map((u) => `${u.uai} ${mots[u.couverture] || u.couverture}`).join(" ; ") || "aucun établissement"}`)))),
    el("li", null, "Résultat : ", el("b", null, libelle(corps.raison)), corps.correction ? ` ${corps.correction.comment}` : ""),
  ];
  const chiffres = corps.raison === "couvert"
    ? el("p", null, `En emploi à 6 mois : ${corps.taux_en_emploi_6_mois} % ; en formation : ${corps.taux_en_formation} % ; autres : ${corps.taux_autres_6_mois} % (${corps.code_certification_donnee}, ${corps.uai}, forme ${corps.forme}, millésime ${corps.millesime || "non dit"}).`) : null;
  $("explication").replaceChildren(el("ol", null, etapes), chiffres || "");
});

// --- suggestions ------------------------------------------------------------------------------------
$("suggestions").addEventListener("submit", async (e) => {
  e.preventDefault();
  const p = new URLSearchParams();
  if ($("s-rncp").value.trim()) p.set("rncp", $("s-rncp").value.trim());
  if ($("s-q").value.trim()) p.set("q", $("s-q").value.trim());
  const uai = encodeURIComponent($("s-uai").value.trim().toUpperCase());
  const { reponse, corps } = await lire(`${API}etablissements/${uai}/suggestions?${p}`).catch(() => ({ reponse: { ok: false }, corps: null }));
  const lieu = $("liste-suggestions");
  if (!reponse.ok) { lieu.replaceChildren(faute(corps?.message || "Le service ne répond pas.", corps?.aide)); return; }
  lieu.replaceChildren(tableau(`${nombre(corps.total)} certifications`, ["Code", "Libellé", "RNCP", "Où", "Correspond"],
    corps.suggestions.map((s) => [s.code_certification, s.libelle || "—", s.rncp.join(", "), s.etablissements.map((u) => `${u.uai} (${u.lien})`).join(", "), s.correspond ? "oui" : ""])));
});
