// Calls every operation of the description on a server with the sample: URL=… CLE=… npm test
import { exposition, hasDocument, isDocument, isFilieres, rows, type LotLine, type operations } from "../src/index.js";

const address = process.env["URL"] ?? "http://127.0.0.1:3000";
const client = exposition({ address, key: process.env["CLE"] ?? "" });
const codes = "40099013";
const there = { region: "04", codes };
const place = { maille: "academies", lieu: "28" };
const school = { uai: "9749801K", code_certification: "01099051" };
const query = { items_par_page: 3 };
const catalogue = "CODEFORMATIONACCUEIL;CODECFD;UAI_GES\n1;40099013;9749801K\n";
const csv = {
  body: catalogue as never,
  bodySerializer: (text: unknown) => text as string,
  headers: { "content-type": "text/csv" },
  parseAs: "text" as const,
};
const text = { parseAs: "text" as const };

interface Answer { response: Response; data?: unknown; error?: unknown }
// The type names every operation: one that is not called does not compile.
const calls: Record<keyof operations, () => Promise<Answer>> = {
  certification: () => client.GET("/api/inserjeunes/certifications/{codes}", { params: { path: { codes } } }),
  certification_image: () =>
    client.GET("/api/inserjeunes/certifications/{codes}.svg", { params: { path: { codes } }, ...text }),
  regionale: () => client.GET("/api/inserjeunes/regionales/{region}/certifications/{codes}", { params: { path: there } }),
  regionale_image: () =>
    client.GET("/api/inserjeunes/regionales/{region}/certifications/{codes}.svg", { params: { path: there }, ...text }),
  maille_certification: () =>
    client.GET("/api/inserjeunes/mailles/{maille}/{lieu}/certifications/{codes}", { params: { path: { ...place, codes } } }),
  maille_certification_image: () =>
    client.GET("/api/inserjeunes/mailles/{maille}/{lieu}/certifications/{codes}.svg", {
      params: { path: { ...place, codes } }, ...text,
    }),
  formation: () => client.GET("/api/inserjeunes/formations/{uai}-{code_certification}", { params: { path: school } }),
  formation_image: () =>
    client.GET("/api/inserjeunes/formations/{uai}-{code_certification}.svg", { params: { path: school }, ...text }),
  image_certification_svg: () =>
    client.GET("/api/images/certifications/{codes}.svg", { params: { path: { codes }, query: { largeur: 240, fond: "sombre" } }, ...text }),
  image_certification_png: () =>
    client.GET("/api/images/certifications/{codes}.png", { params: { path: { codes }, query: { echelle: 1 } }, parseAs: "blob" }),
  image_regionale_svg: () =>
    client.GET("/api/images/regionales/{region}/certifications/{codes}.svg", { params: { path: { region: "04", codes } }, ...text }),
  image_maille_certification_svg: () =>
    client.GET("/api/images/mailles/{maille}/{lieu}/certifications/{codes}.svg", { params: { path: { ...place, codes } }, ...text }),
  image_formation_svg: () =>
    client.GET("/api/images/formations/{uai}-{code_certification}.svg", { params: { path: school }, ...text }),
  image_regionale_png: () =>
    client.GET("/api/images/regionales/{region}/certifications/{codes}.png", { params: { path: { region: "04", codes } }, parseAs: "blob" }),
  image_maille_certification_png: () =>
    client.GET("/api/images/mailles/{maille}/{lieu}/certifications/{codes}.png", { params: { path: { ...place, codes } }, parseAs: "blob" }),
  image_formation_png: () =>
    client.GET("/api/images/formations/{uai}-{code_certification}.png", { params: { path: school }, parseAs: "blob" }),
  certifications: () => client.GET("/api/inserjeunes/certifications", { params: { query } }),
  certifications_csv: () => client.GET("/api/inserjeunes/certifications.csv", { params: { query }, ...text }),
  certifications_ndjson: () => client.GET("/api/inserjeunes/certifications.ndjson", { params: { query }, ...text }),
  regionales: () => client.GET("/api/inserjeunes/regionales", { params: { query: { ...query, regions: "97400" } } }),
  regionales_csv: () => client.GET("/api/inserjeunes/regionales.csv", { params: { query }, ...text }),
  regionales_ndjson: () => client.GET("/api/inserjeunes/regionales.ndjson", { params: { query }, ...text }),
  regionales_region: () =>
    client.GET("/api/inserjeunes/regionales/{region}", { params: { path: { region: "11" }, query } }),
  regionales_region_csv: () =>
    client.GET("/api/inserjeunes/regionales/{region}.csv", { params: { path: { region: "11" }, query }, ...text }),
  regionales_region_ndjson: () =>
    client.GET("/api/inserjeunes/regionales/{region}.ndjson", { params: { path: { region: "11" }, query }, ...text }),
  formations: () => client.GET("/api/inserjeunes/formations", { params: { query } }),
  formations_csv: () => client.GET("/api/inserjeunes/formations.csv", { params: { query }, ...text }),
  formations_ndjson: () => client.GET("/api/inserjeunes/formations.ndjson", { params: { query }, ...text }),
  bcn: () => client.GET("/api/inserjeunes/bcn", { params: { query } }),
  bcn_csv: () => client.GET("/api/inserjeunes/bcn.csv", { params: { query }, ...text }),
  bcn_ndjson: () => client.GET("/api/inserjeunes/bcn.ndjson", { params: { query }, ...text }),
  mailles: () => client.GET("/api/inserjeunes/mailles"),
  maille: () => client.GET("/api/inserjeunes/mailles/{maille}", { params: { path: place, query } }),
  maille_csv: () => client.GET("/api/inserjeunes/mailles/{maille}.csv", { params: { path: place, query }, ...text }),
  maille_ndjson: () => client.GET("/api/inserjeunes/mailles/{maille}.ndjson", { params: { path: place, query }, ...text }),
  maille_lieu: () => client.GET("/api/inserjeunes/mailles/{maille}/{lieu}", { params: { path: place, query } }),
  maille_lieu_csv: () =>
    client.GET("/api/inserjeunes/mailles/{maille}/{lieu}.csv", { params: { path: place, query }, ...text }),
  maille_lieu_ndjson: () =>
    client.GET("/api/inserjeunes/mailles/{maille}/{lieu}.ndjson", { params: { path: place, query }, ...text }),
  lots: () =>
    client.POST("/api/inserjeunes/lots", { body: { demandes: [{ code_certification: codes }], comparaison: true }, ...text }),
  comparaison_certification: () =>
    client.GET("/api/comparaison/certifications/{code_certification}", { params: { path: { code_certification: codes } } }),
  comparaison_regionale: () =>
    client.GET("/api/comparaison/regionales/{region}/certifications/{code_certification}", {
      params: { path: { region: "04", code_certification: codes } },
    }),
  comparaison_maille: () =>
    client.GET("/api/comparaison/mailles/{maille}/{lieu}/certifications/{code_certification}", {
      params: { path: { ...place, code_certification: codes } },
    }),
  comparaison_formation: () => client.GET("/api/comparaison/formations/{uai}-{code_certification}", { params: { path: school } }),
  // There is no account in the sample: the answer is the described refusal.
  connexion: () => client.POST("/api/inserjeunes/auth/login", { body: { username: "nobody", password: "none" } }),
  // Nor is the shared key a personal one.
  etat_de_la_cle: () => client.GET("/api/inserjeunes/auth/cle"),
  recherche: () => client.GET("/api/recherche", { params: { query: { q: "accueil" } } }),
  recherche_certification: () =>
    client.GET("/api/recherche/certifications/{code_certification}", { params: { path: { code_certification: codes } } }),
  recherche_etablissement: () => client.GET("/api/recherche/etablissements/{uai}", { params: { path: school } }),
  // The client follows to the document.
  identifiant: () =>
    client.GET("/api/inserjeunes/identifiants/{systeme}/{code}", {
      params: { path: { systeme: "MEF", code: "2389901133" } },
    }),
  appariement_formation: () =>
    client.GET("/api/appariement/formation", { params: { query: { codecfd: codes, uai_ges: school.uai } } }),
  appariement_codes: () => client.GET("/api/appariement/codes", { params: { query: { codecfd: codes } } }),
  appariement_formations: () => client.POST("/api/appariement/formations", csv),
  appariement_codes_catalogue: () => client.POST("/api/appariement/codes", csv),
  appariement_couverture: () =>
    client.POST("/api/appariement/couverture", { body: [{ CODEFORMATIONACCUEIL: "1", CODECFD: codes, UAI_GES: school.uai }] }),
  appariement_suggestions: () =>
    client.GET("/api/appariement/etablissements/{uai}/suggestions", { params: { path: school } }),
  appariement_raisons: () => client.GET("/api/appariement/raisons"),
  version: () => client.GET("/api"),
  changements: () => client.GET("/api/changements", { params: { query: { depuis: "g1" } } }),
  changements_atom: () => client.GET("/api/changements.atom", text),
  calendrier: () => client.GET("/api/calendrier"),
  calendrier_ics: () => client.GET("/api/calendrier.ics", text),
  statut: () => client.GET("/api/status"),
  exports: () => client.GET("/api/exports"),
  openapi: () => client.GET("/api/doc/openapi.json"),
};

function demand(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

for (const [name, call] of Object.entries(calls)) {
  const { response, data, error } = await call();
  const expected = ["connexion", "etat_de_la_cle"].includes(name) ? 401 : 200;
  demand(response.status === expected, `${name}: ${response.status} ${JSON.stringify(error)}`);
  demand((expected === 200 ? data : error) !== undefined, `${name}: no body`);
}

// The two forms of an answer are told apart by their types.
const one = await client.GET("/api/inserjeunes/certifications/{codes}", { params: { path: { codes } } });
demand(one.data !== undefined && isDocument(one.data) && one.data.diplome?.libelle === "BAC PRO", "one document");
const both = await client.GET("/api/inserjeunes/certifications/{codes}", {
  params: { path: { codes }, query: { vue: "filieres" } },
});
demand(both.data !== undefined && isFilieres(both.data) && both.data.pro?.filiere === "pro", "both filieres");
const family = await client.GET("/api/inserjeunes/certifications/{codes}", { params: { path: { codes: "23810099010" } } });
demand(family.data !== undefined && isDocument(family.data), "a year that is not the final one");
if (family.data && isDocument(family.data)) {
  demand((family.data.certificationsTerminales ?? []).filter(hasDocument).length > 0, "final years");
}
let count = 0;
const all = await client.GET("/api/inserjeunes/formations.ndjson", { params: { query: { items_par_page: 1000000 } }, parseAs: "stream" });
for await (const row of rows(new Response(all.data as unknown as ReadableStream, all.response))) {
  demand(row.millesime.length > 0 && row.formation_fermee !== undefined, "a row");
  count += 1;
}
demand(count === Number(all.response.headers.get("x-total-count")), `${count} rows`);
const lot = await client.POST("/api/inserjeunes/lots", {
  body: { demandes: Array(1000).fill({ code_certification: codes }), comparaison: true }, parseAs: "stream",
});
let lines = 0;
for await (const line of rows<LotLine>(new Response(lot.data as unknown as ReadableStream, lot.response))) {
  lines += 1;
  demand(line.rang === lines && line.statut === 200, "a line of a lot");
  demand((line.comparaison?.autre_voie ?? []).length > 0, "its comparison");
}
demand(lines === 1000, `${lines} lines`);
console.log(`${Object.keys(calls).length} operations called, ${count} rows read`);
