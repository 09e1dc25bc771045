// The explorer. Everything it shows comes from public routes; the address after # says what is shown:
//   #q=cuisine   #c=40099011&r=04&e=9749801K&m=2022_2023   #u=9749801K
import { $, el, number as nombre } from "./common.js";

const fiche = $("fiche"), liste = $("liste"), annonce = $("annonce"), champ = $("q");

const texteMillesime = (m) => m.replace("_", "-");

// The explorer lies at the root of the service, whatever path the gateway adds: all addresses are relative. Those that
// are copied elsewhere are whole, and begin as the operator tells it.
const entiere = (chemin) => new URL(chemin, document.documentElement.dataset.address || document.baseURI).href;

// --- calls ------------------------------------------------------------------------------------------
async function lire(chemin) {
  const reponse = await fetch(chemin, { headers: { accept: "application/json" } });
  let corps = null;
  try { corps = await reponse.json(); } catch { /* no body: the status says enough */ }
  return { statut: reponse.status, corps };
}
const panne = { statut: 0, corps: { message: "Le service ne répond pas. Réessayez dans quelques secondes." } };
const appeler = (chemin) => lire(chemin).catch(() => panne);

// --- where we are -------------------------------------------------------------------------------------
const etat = () => new URLSearchParams(location.hash.slice(1));
const adresse = (valeurs) => {
  const p = new URLSearchParams();
  for (const [cle, valeur] of Object.entries(valeurs)) if (valeur) p.set(cle, valeur);
  return "#" + p.toString();
};
let tour = 0, attente;

async function montrer() {
  clearTimeout(attente); // whoever follows a link no longer waits for what was being typed
  const moi = ++tour, p = etat();
  const encore = () => moi === tour;
  if (p.has("c")) { liste.replaceChildren(); await certification(p, encore); }
  else if (p.has("u")) { liste.replaceChildren(); await etablissement(p.get("u"), encore); }
  else {
    fiche.replaceChildren();
    if (p.has("q")) { champ.value = p.get("q"); await resultats(p.get("q"), Number(p.get("p") || 1), encore); }
    else { liste.replaceChildren(); annonce.textContent = ""; await debut(encore); }
  }
}

// --- search ---------------------------------------------------------------------------------------------
function ligne(r) {
  if (r.type === "etablissement") {
    const details = ["Établissement", r.uai, r.region && r.region.nom, !r.donnees && "sans données"];
    return el("li", {}, el("a", { href: adresse({ u: r.uai }) }, el("strong", {}, r.libelle), el("span", {}, details.filter(Boolean).join(" · "))));
  }
  const premier = r.codes[0];
  const details = [r.diplome, r.codes.map((c) => `${c.type} ${c.code}`).join(", "), (r.rncp || []).join(", "), !r.donnees && "sans données"];
  return el("li", {}, el("a", { href: adresse({ c: premier.identifiant, s: r.codes.map((c) => c.identifiant).slice(0, 12).join(",") }) },
    el("strong", {}, r.libelle), el("span", {}, details.filter(Boolean).join(" · "))));
}

async function resultats(q, page, encore) {
  const { statut, corps } = await appeler(`api/recherche?q=${encodeURIComponent(q)}&page=${page}`);
  if (!encore()) return;
  if (statut !== 200) {
    liste.replaceChildren();
    annonce.textContent = [corps?.message, corps?.aide].filter(Boolean).join(". ") || "La recherche a échoué.";
    return;
  }
  const { total, nombre_de_page } = corps.pagination;
  annonce.textContent = total === 0 ? `Aucun résultat pour « ${q} ». Essayez un mot plus court, ou le début d’un code.`
    : corps.approche ? `Rien ne correspond exactement à « ${q} ». Les résultats les plus proches :`
    : `${nombre(total)} résultat${total > 1 ? "s" : ""} pour « ${q} »`;
  const pages = el("p", {},
    page > 1 && el("a", { href: adresse({ q, p: page - 1 }) }, "Page précédente"), page > 1 && page < nombre_de_page && " · ",
    page < nombre_de_page && el("a", { href: adresse({ q, p: page + 1 }) }, "Page suivante"));
  liste.replaceChildren(el("ul", { class: "results", "aria-label": "Résultats" }, corps.resultats.map(ligne)), pages);
}

// Nothing asked yet: some certifications to begin with, whatever data is published.
async function debut(encore) {
  const { statut, corps } = await appeler("api/recherche?q=bac&type=certification");
  if (!encore() || statut !== 200 || !corps.resultats.length) return;
  liste.replaceChildren(el("h2", {}, "Pour commencer"), el("ul", { class: "results" }, corps.resultats.slice(0, 5).map(ligne)));
}

// --- an establishment ----------------------------------------------------------------------------------
async function etablissement(uai, encore) {
  const [lieux, nom] = await Promise.all([appeler(`api/recherche/etablissements/${encodeURIComponent(uai)}`),
    appeler(`api/recherche?q=${encodeURIComponent(uai)}&type=etablissement`)]);
  if (!encore()) return;
  const connu = nom.corps?.resultats?.find((r) => r.uai === uai);
  const region = connu?.region?.code;
  annonce.textContent = "";
  const titre = el("h2", { tabindex: "-1" }, connu ? connu.libelle : uai);
  if (lieux.statut !== 200) { fiche.replaceChildren(titre, absence(lieux.corps)); return titre.focus(); }
  fiche.replaceChildren(titre, el("p", {}, `UAI ${uai}`, connu?.region ? ` · ${connu.region.nom}` : ""),
    el("h3", {}, "Formations qui ont des données"),
    el("ul", { class: "results" }, lieux.corps.formations.map((f) => el("li", {},
      el("a", { href: adresse({ c: f.identifiant, r: region, e: uai }) }, el("strong", {}, f.libelle || f.identifiant),
        el("span", {}, [f.diplome, f.identifiant, f.filieres.join(", "), f.millesimes.map(texteMillesime).join(", ")].filter(Boolean).join(" · ")))))));
  titre.focus();
}

const absence = (corps) => el("div", { class: "notice warning" }, el("p", {}, corps?.message || "Aucune donnée."),
  corps?.data?.millesimesDisponible?.length ? el("p", {}, "Millésimes disponibles : " + corps.data.millesimesDisponible.map(texteMillesime).join(", ") + ".") : null,
  el("p", {}, el("a", { href: "api/doc/erreurs" }, "Les erreurs et leurs causes")));

// --- a certification --------------------------------------------------------------------------------------
const unique = (liste) => [...new Set(liste)];
const tri = (liste) => unique(liste).sort().reverse();

function choix(id, nom, options, valeur, change) {
  const select = el("select", { id, onchange: (e) => change(e.target.value) },
    options.map(([v, t]) => el("option", { value: v, selected: v === valeur }, t)));
  return el("div", {}, el("label", { for: id }, nom), select);
}

async function certification(p, encore) {
  const c = p.get("c"), r = p.get("r") || "", e = p.get("e") || "", m = p.get("m") || "";
  const freres = (p.get("s") || c).split(",");
  const lieux = await appeler(`api/recherche/certifications/${encodeURIComponent(c)}`);
  const dans = r && lieux.statut === 200 ? await appeler(`api/recherche/certifications/${encodeURIComponent(c)}?region=${r}`) : null;
  if (!encore()) return;
  const focus = document.activeElement?.id;
  annonce.textContent = "";
  const titre = el("h2", { tabindex: "-1" }, lieux.corps?.libelle || c);
  if (lieux.statut !== 200) {
    fiche.replaceChildren(titre, absence({ message: "Aucun indicateur n’est publié sous ce code. Il peut y en avoir sous un autre code de la même certification." }), codes(freres, c));
    return titre.focus();
  }
  const l = lieux.corps;
  const region = l.regions.find((x) => x.code === r);
  const etablissements = dans?.corps?.etablissements || [];
  const ici = etablissements.find((x) => x.uai === e);
  const millesimes = tri(ici ? ici.millesimes : r ? region?.millesimes || [] : Object.values(l.nationales).flat());
  const base = e ? `api/inserjeunes/formations/${e}-${c}` : r ? `api/inserjeunes/regionales/${r}/certifications/${c}` : `api/inserjeunes/certifications/${c}`;
  const choisi = millesimes.includes(m) ? m : millesimes[0];
  const aller = (v) => { location.hash = adresse({ c, s: p.get("s"), r, e, m, ...v }); };
  const choisir = el("div", { class: "choices" },
    freres.length > 1 && choix("code", "Code", freres.map((f) => [f, `${f} (${genre(f)})`]), c, (v) => aller({ c: v, r: "", e: "", m: "" })),
    choix("region", "Où", [["", "France entière"], ...l.regions.map((x) => [x.code, x.nom])], r, (v) => aller({ r: v, e: "", m: "" })),
    r && choix("etablissement", "Établissement", [["", "Toute la région"], ...etablissements.map((x) => [x.uai, `${x.libelle || x.uai} (${x.uai})`])], e, (v) => aller({ e: v, m: "" })),
    millesimes.length > 0 && choix("millesime", "Millésime", millesimes.map((x) => [x, texteMillesime(x)]), choisi, (v) => aller({ m: v })));
  const corps = el("div", {});
  fiche.replaceChildren(titre, el("p", {}, [l.diplome, `${genre(c)} ${l.code}`, ici ? ici.libelle : region ? region.nom : "France entière"].filter(Boolean).join(" · ")), choisir, corps);
  if (focus && $(focus) && fiche.contains($(focus))) $(focus).focus(); else titre.focus();
  if (!choisi) { corps.replaceChildren(absence({ message: "Aucun indicateur n’est publié à cet endroit. Choisissez-en un autre." })); return; }
  const tous = await Promise.all(millesimes.map((x) => appeler(`${base}?millesime=${x}`)));
  if (!encore()) return;
  const un = tous[millesimes.indexOf(choisi)];
  const chemin = `${base}?millesime=${choisi}`;
  corps.replaceChildren(...indicateurs(un, choisi), ...evolution(millesimes, tous), ...reprendre(chemin, `${base}.svg?millesime=${choisi}`, un));
}

const genre = (code) => (code.startsWith("SISE:") ? "SISE" : code.length === 11 ? "MEFSTAT11" : "CFD");
const codes = (freres, c) => freres.length < 2 ? null : el("ul", {}, freres.filter((f) => f !== c).map((f) => el("li", {}, el("a", { href: adresse({ c: f, s: freres.join(",") }) }, `${genre(f)} ${f}`))));

// --- what people read ---------------------------------------------------------------------------------------
const PARTS = [["employment", "taux_en_emploi_6_mois", "en emploi salarié à 6 mois"], ["study", "taux_en_formation", "en études ou en formation"], ["other", "taux_autres_6_mois", "dans une autre situation à 6 mois"]];

function indicateurs({ statut, corps: d }, millesime) {
  if (statut !== 200 || !d) return [absence(d)];
  const sortie = [el("h3", {}, `Que deviennent les jeunes ? Millésime ${texteMillesime(millesime)}`)];
  const connus = PARTS.filter(([, c]) => typeof d[c] === "number");
  if (connus.length) {
    const lu = PARTS.map(([, c, t]) => (typeof d[c] === "number" ? `${d[c]} % ${t}` : `part inconnue ${t}`)).join(", ");
    sortie.push(el("div", { class: "bar", role: "img", "aria-label": lu }, connus.map(([k, c]) => el("span", { class: k, style: `width:${d[c]}%` }))));
    sortie.push(el("ul", { class: "shares" }, PARTS.map(([k, c, t]) => el("li", {}, el("i", { class: k, "aria-hidden": "true" }), el("b", {}, typeof d[c] === "number" ? `${d[c]} %` : "–"), t))));
  }
  // Deux phrases disent pourquoi un chiffre est masqué : celle de l’ancien service, puis la nôtre, qui dit aussi que voir à la place.
  const messages = d._meta?.messages || [];
  const raisons = messages.filter((m) => messages.length < 2 || !m.startsWith("Les taux ne peuvent pas être affichés car"));
  if (!connus.length && !raisons.length) {
    raisons.push(d.certificationsTerminales ? "C’est une année non terminale : les indicateurs sont ceux de ses années terminales." : "Aucun taux n’est connu de la source pour ce millésime.");
  }
  for (const raison of raisons) sortie.push(el("p", { class: "notice" }, raison));
  if (Array.isArray(d.certificationsTerminales) && d.certificationsTerminales.length) {
    sortie.push(el("p", {}, "Années terminales :"), el("ul", {}, d.certificationsTerminales.map((t) => el("li", {}, el("a", { href: adresse({ c: t.code_certification }) }, t.libelle || t.code_certification)))));
  }
  const lignes = [];
  const ajouter = (nom, valeur) => { if (valeur != null) lignes.push(el("dt", {}, nom), el("dd", {}, valeur)); };
  ajouter("Jeunes en dernière année", d.nb_annee_term != null ? nombre(d.nb_annee_term) : null);
  for (const mois of [12, 18, 24]) ajouter(`En emploi à ${mois} mois`, typeof d[`taux_en_emploi_${mois}_mois`] === "number" ? `${d[`taux_en_emploi_${mois}_mois`]} %` : null);
  ajouter("Contrats d’apprentissage rompus", typeof d.taux_rupture_contrats === "number" ? `${d.taux_rupture_contrats} %` : null);
  const [q1, q2, q3] = [1, 2, 3].map((q) => d[`salaire_12_mois_q${q}`]);
  if (typeof q2 === "number") ajouter("Salaire net mensuel à 12 mois", `la moitié gagne plus de ${nombre(q2)} €` + (typeof q1 === "number" && typeof q3 === "number" ? ` ; la moitié du milieu, entre ${nombre(q1)} et ${nombre(q3)} €` : ""));
  ajouter("Filière", d.filiere);
  ajouter("Source", d.filiere === "superieur" ? "InserSup (SIES)" : "InserJeunes (DEPP et DARES)");
  const s = d.donnee_source;
  if (s) ajouter("D’où viennent les chiffres", s.type === "self" ? "de cette certification" : `${s.type === "ancienne" ? "de l’ancien" : "du nouveau"} diplôme de la lignée, ${s.code_certification}`);
  if (d.uai_donnee && d.uai_donnee !== d.uai) ajouter("Établissement des chiffres", d.uai_donnee);
  if (d.formation_fermee) ajouter("Formation", "fermée" + (d.date_fermeture ? ` depuis le ${d.date_fermeture.slice(0, 10)}` : ""));
  sortie.push(el("dl", { class: "sheet" }, lignes));
  return sortie;
}

function evolution(millesimes, tous) {
  if (millesimes.length < 2) return [];
  const cellule = (d, c) => el("td", {}, d && typeof d[c] === "number" ? `${d[c]} %` : d && d[c] === null ? "masqué" : "–");
  const lignes = millesimes.map((m, i) => {
    const d = tous[i].statut === 200 ? tous[i].corps : null;
    return el("tr", {}, el("th", { scope: "row" }, texteMillesime(m)), PARTS.map(([, c]) => cellule(d, c)), el("td", {}, d?.nb_annee_term != null ? nombre(d.nb_annee_term) : "–"));
  });
  return [el("h3", {}, "Évolution"), el("div", { class: "scroll", role: "region", "aria-label": "Évolution", tabindex: "0" }, el("table", {},
    el("thead", {}, el("tr", {}, ["Millésime", "En emploi à 6 mois", "En formation", "Autres situations", "Jeunes"].map((t) => el("th", { scope: "col" }, t)))), el("tbody", {}, lignes)))];
}

// --- taking it home --------------------------------------------------------------------------------------------
function bloc(titre, texte) {
  const bouton = el("button", { class: "quiet", type: "button", onclick: async () => {
    try { await navigator.clipboard.writeText(texte); bouton.textContent = "Copié"; } catch { bouton.textContent = "Sélectionnez le texte pour le copier"; }
  } }, "Copier", el("span", { class: "hint", hidden: true }, titre));
  bouton.setAttribute("aria-label", `Copier : ${titre}`);
  return [el("div", { class: "block-title" }, el("h3", {}, titre), bouton), el("pre", { tabindex: "0", role: "region", "aria-label": titre }, el("code", {}, texte))];
}

function reprendre(chemin, svg, un) {
  const url = entiere(chemin), image = entiere(svg);
  const titre = un.corps?._meta?.titre || "Indicateurs de la formation";
  const embarque = `<img src="${image}&imageOnError=true" alt="${titre}" loading="lazy">`;
  return [
    el("h2", {}, "Reprendre ces données"),
    ...bloc("L’appel", `GET ${url}`),
    ...bloc("curl", `curl '${url}'`),
    ...bloc("JavaScript", `const reponse = await fetch("${url}");\nif (!reponse.ok) throw new Error((await reponse.json()).message);\nconst indicateurs = await reponse.json();\nconsole.log(indicateurs.taux_en_emploi_6_mois);`),
    ...bloc("Python", `import json, urllib.request\n\nwith urllib.request.urlopen("${url}") as reponse:\n    indicateurs = json.load(reponse)\nprint(indicateurs.get("taux_en_emploi_6_mois"))`),
    ...bloc("La réponse en JSON", JSON.stringify(un.corps, null, 2)),
    el("h2", {}, "Intégrer l’image"),
    el("p", {}, el("img", { class: "image", src: `${svg}&imageOnError=true`, alt: titre })),
    ...bloc("Code à intégrer", embarque),
    el("p", {}, "Thèmes, sens et image de remplacement : voir la ", el("a", { href: "api/doc" }, "documentation"), "."),
  ];
}

// --- events ---------------------------------------------------------------------------------------------------
const chercher = () => {
  const q = champ.value.trim();
  const voulue = q ? adresse({ q }) : "";
  if (location.hash !== voulue) { if (q) location.hash = voulue; else { history.replaceState(null, "", location.pathname); montrer(); } }
};
champ.addEventListener("input", () => { clearTimeout(attente); attente = setTimeout(chercher, 300); });
$("recherche").addEventListener("submit", (e) => { e.preventDefault(); clearTimeout(attente); chercher(); });
window.addEventListener("hashchange", montrer);
const demande = new URLSearchParams(location.search).get("q");
if (demande && !location.hash) location.replace(adresse({ q: demande })); else montrer();
