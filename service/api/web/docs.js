"use strict";
// no validator: it would send the document to a server of Swagger's
window.ui = SwaggerUIBundle({ url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
