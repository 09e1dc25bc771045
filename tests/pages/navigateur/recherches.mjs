// Everyday queries over the real data: node recherches.mjs http://127.0.0.1:3000 recherches.tsv
// Each line: a query as a pupil or a parent types it, and what the name of the first answer holds (`@` and the beginning of
// a UAI for an establishment).
import { readFileSync } from "node:fs";

const [base, file] = process.argv.slice(2);
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toUpperCase();
const lines = readFileSync(file, "utf8").trim().split("\n").map((line) => line.split("\t"));
const wrong = [];
for (const [q, wanted] of lines) {
  const answer = await fetch(`${base}/api/recherche?q=${encodeURIComponent(q)}`);
  const [first] = (await answer.json()).resultats;
  const name = first ? `${first.libelle} @${first.uai ?? ""}` : "";
  if (!plain(name).includes(plain(wanted))) wrong.push(`${q}: ${name} instead of ${wanted}`);
}
for (const line of wrong) console.log(`- ${line}`);
console.log(`everyday queries over the real data: ${lines.length}, ${wrong.length} fault(s)`);
process.exit(wrong.length ? 1 : 0);
