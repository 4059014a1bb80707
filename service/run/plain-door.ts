import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';

/** A process's numbers, as Prometheus reads them. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

export type Answer = (status: number, text: string, type?: string) => void;

export function answerOf(response: ServerResponse): Answer {
  return (status, text, type = 'text/plain; charset=utf-8') => {
    response.writeHead(status, { 'content-type': type });
    response.end(text);
  };
}

/** @param otherwise is answered with 503 where the numbers cannot be had now */
export async function answerMetrics(answer: Answer, metrics: Metrics, otherwise: string): Promise<void> {
  await metrics.text().then(
    (text) => answer(200, text, metrics.contentType),
    () => answer(503, otherwise),
  );
}

/** Resolves when it listens; rejects where it cannot. */
export function listenAt(at: { readonly host: string; readonly port: number }, listener: RequestListener): Promise<Server> {
  const server = createServer(listener);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, () => resolve(server));
  });
}
