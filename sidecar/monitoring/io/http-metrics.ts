import { once } from 'node:events';
import { createServer } from 'node:http';
import { listen } from '../../platform/net/listen.ts';

export interface MetricsServer extends AsyncDisposable {
  readonly port: number;
}

/**
 * `GET /metrics` on a listener of its own, so that it is never on a port that devices or patients reach, and nothing
 * else. 503 where it could not be made.
 */
export async function startMetricsHttp(options: {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly contentType: string;
  readonly text: () => Promise<string>;
}): Promise<MetricsServer> {
  const server = createServer(
    { headersTimeout: 5000, requestTimeout: 5000, keepAliveTimeout: 5000, maxHeaderSize: 8192 },
    (request, response) => {
      request.resume();
      if (request.url?.split('?', 1)[0] !== '/metrics') {
        response.writeHead(404).end();
      } else if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.writeHead(405, { Allow: 'GET, HEAD' }).end();
      } else {
        options.text().then(
          (text) => response.writeHead(200, { 'Content-Type': options.contentType }).end(text),
          () => response.writeHead(503).end(),
        );
      }
    },
  );
  server.maxConnections = 16;
  const port = await listen(server, options.port, options.host);
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
