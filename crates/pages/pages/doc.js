"use strict";
// The description of this very service, with calls that can be tried.
window.addEventListener("DOMContentLoaded", () => {
  SwaggerUIBundle({
    url: document.querySelector("a[href$='openapi.json']").href,
    dom_id: "#swagger",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: true,
    validatorUrl: null,
  });
});
