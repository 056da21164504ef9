// The documentation of the API, drawn by swagger-ui from our own description. No other host.
"use strict";
const place = document.getElementById("api");
window.SwaggerUIBundle({
  url: place.dataset.spec,
  domNode: place,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  validatorUrl: null,
  persistAuthorization: false,
  requestInterceptor(request) {
    // A token is sent, never a cookie.
    request.credentials = "omit";
    return request;
  },
});
