"use strict";

async function drawDocument() {
  const response = await fetch("openapi.json");
  const spec = await response.json();
  // Behind a proxy this page has a path before /docs, which "Try it out" needs too. Most proxies do
  // not tell the server.
  const prefix = new URL(".", document.baseURI).pathname;
  if (!spec.servers && prefix !== "/") spec.servers = [{ url: prefix.slice(0, -1) }];
  // the files of the pages are no operations for readers
  for (const path of Object.keys(spec.paths)) if (path.startsWith("/assets/")) delete spec.paths[path];
  // without a validator, which would send the document to a server of Swagger
  window.ui = SwaggerUIBundle({ spec, dom_id: "#docs", deepLinking: true, validatorUrl: null });
}

drawDocument();
