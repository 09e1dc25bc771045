// Comforts of the site: every page is whole without them.

// Addresses of the former explorer (#c=40099011&r=04&e=9749801K, #u=9749801K, #q=cuisine) lead to the pages of today.
const old = new URLSearchParams(location.hash.slice(1));
const root = document.querySelector(".fr-header__service a")?.href;
if (root && location.href.split(/[?#]/)[0] === root) {
  const [c, r, e, u, q] = ["c", "r", "e", "u", "q"].map((name) => encodeURIComponent(old.get(name) || ""));
  const path = c ? (e ? `etablissements/${e}/${c}` : `certifications/${c}${r ? `?region=${r}` : ""}`) : u ? `etablissements/${u}` : q ? `recherche?q=${q}` : "";
  if (path) location.replace(root + path);
}

// What is copied elsewhere is whole: it begins as the operator tells, or as this page was asked for.
const address = document.documentElement.dataset.address || root || "";
for (const code of document.querySelectorAll("code[data-copy]")) {
  code.textContent = code.textContent.replaceAll("{adresse du service}/", address);
  const pre = code.closest("pre");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "fr-btn fr-btn--secondary copy";
  button.textContent = "Copier";
  button.setAttribute("aria-label", `Copier : ${pre.getAttribute("aria-label")}`);
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(code.textContent); said.textContent = " Copié"; } catch { said.textContent = " Sélectionnez le texte pour le copier"; }
  });
  pre.before(button, said);
}
