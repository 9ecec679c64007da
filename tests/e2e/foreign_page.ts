import { createServer, type Server } from "node:http";

/** A page of another origin, with a policy stricter than most, that embeds what it is given. */
export async function servePage(port: number, gateway: string, body: string): Promise<Server> {
  const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Another platform</title>
    <script type="module" src="${gateway}/tunesmith.js"></script>
  </head>
  <body><main><h1>Another platform</h1>${body}</main></body>
</html>`;
  const policy = `default-src 'none'; script-src ${gateway}; connect-src ${gateway}; img-src 'self'; style-src 'none'; base-uri 'none'`;
  const server = createServer((request, response) => {
    const found = request.url === "/";
    response.writeHead(found ? 200 : 204, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy });
    response.end(found ? page : undefined);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}
