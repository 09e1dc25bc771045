// What the scripts of the pages share: finding and building elements, numbers, calls.

export const $ = (id) => document.getElementById(id);

/** An element; a handler is an attribute that begins with `on`, and what is false or absent is left out. */
export function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === false || value == null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") element.style.cssText = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

export const number = (n) => new Intl.NumberFormat("fr-FR").format(n);
export const share = (n, total) =>
  new Intl.NumberFormat("fr-FR", { style: "percent", maximumFractionDigits: 1 }).format(total ? n / total : 0);

/** The answer to a call, and its body where it is JSON. */
export async function call(path, options) {
  const response = await fetch(path, options);
  let body = null;
  try { body = await response.clone().json(); } catch { /* no JSON: the status says enough, or rows follow */ }
  return { response, body };
}

/** A table that scrolls by itself where it is too wide. */
export const table = (caption, headers, rows) =>
  el("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, el("table", null, el("caption", null, caption),
    el("thead", null, el("tr", null, headers.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", null, rows.map((cells) => el("tr", null, cells.map((cell) => el("td", null, cell)))))));
