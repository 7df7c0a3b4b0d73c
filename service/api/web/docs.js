"use strict";
// without a validator, which would send the document to a server of Swagger
window.ui = SwaggerUIBundle({ url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
