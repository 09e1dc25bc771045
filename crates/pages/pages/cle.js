// Shows what the service knows of a key. The key goes into a header, once, and is kept nowhere.
import { $, call, el, number } from "./common.js";

const notice = (kind, text) => el("p", { class: "notice " + kind }, text);
const limit = (n, unit) => (n == null ? "aucune" : number(n) + " " + unit);

function sheet(key) {
  const told = [
    ["Compte", key.compte],
    ["Libellé", key.libelle || "–"],
    ["Contact", key.contact || "–"],
    ["Empreinte", key.empreinte],
    ["Créée le", key.cree_le || "–"],
    ["Vaut jusqu’au", key.expire_le || "sans fin"],
    ["Dernier jour d’usage connu", key.dernier_usage || "–"],
    ["Requêtes", limit(key.limites.requetes_par_seconde, "par seconde, environ")],
    ["Exports", limit(key.limites.exports_par_heure, "par heure, environ")],
  ];
  return el("dl", { class: "sheet" }, told.flatMap(([name, value]) => [el("dt", null, name), el("dd", null, String(value))]));
}

async function shown(value) {
  const { response, body } = await call("../inserjeunes/auth/cle", { headers: { "x-api-key": value }, cache: "no-store" });
  if (response.status === 401) return [notice("error", "Cette clé est inconnue, ou son compte est fermé.")];
  if (!response.ok) return [notice("error", "Le service répond " + response.status + " : réessayer plus tard.")];
  const state = body.valide
    ? notice("good", "Cette clé est valable.")
    : notice("error", "Cette clé est finie : elle n’ouvre plus rien.");
  return [state, sheet(body)];
}

$("demand").addEventListener("submit", async (event) => {
  event.preventDefault();
  const told = await shown($("key").value).catch(() => [notice("error", "Le service ne répond pas.")]);
  $("answer").replaceChildren(...told);
});
