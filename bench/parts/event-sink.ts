/**
 * Accepts everything that is posted to it, and checks nothing: `node event-sink.ts`, whose first line is its address. `node event-sink.ts ocsf|cloudevents`
 * checks each event, and answers a GET with how many there were, and what is wrong with the invalid ones.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { type StreamFormat, streamFormats } from '../../core/streams/stream.ts';
import { portOf } from '../../integrations/http-door.ts';
import { cloudEventProblems, ocsfProblems } from '../../test/core/streams/events.ts';

/** What arrived, by event id: a repeated event counts once. */
export interface CheckedEvents {
  readonly events: number;
  readonly invalid: number;
  /** The first few. */
  readonly problems: readonly string[];
}

const problemsOf = { ocsf: ocsfProblems, cloudevents: cloudEventProblems };
const format = streamFormats.find((one) => one === process.argv[2]);
const ids = new Set<string>();
const problems: string[] = [];
let invalid = 0;

async function check(request: IncomingMessage, of: StreamFormat): Promise<void> {
  const text = (await buffer(request.pipe(createGunzip()))).toString();
  for (const json of text.split('\n').filter((line) => line !== '')) {
    const found = problemsOf[of]({ json });
    if (found.length > 0) invalid += 1;
    if (problems.length < 20) problems.push(...found);
    const event = JSON.parse(json);
    ids.add(of === 'ocsf' ? event.metadata.uid : event.id);
  }
}

const server = createServer(async (request, response) => {
  const checked: CheckedEvents = { events: ids.size, invalid, problems };
  if (request.method === 'GET') response.end(JSON.stringify(checked));
  else if (format) {
    const status = await check(request, format).then(
      () => 200,
      () => 500,
    );
    response.writeHead(status).end();
  } else {
    request.resume();
    request.on('end', () => response.end());
  }
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${portOf(server)}/events`));
