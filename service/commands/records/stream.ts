import type { Command } from 'commander';
import { openAsIs } from '../../../integrations/database/database.ts';
import { createStreamFeed } from '../../../integrations/database/outbound/stream-feed.ts';
import { problemText } from '../../../integrations/delivery-problem.ts';
import type { StreamConfig } from '../../config/complete/complete-streams.ts';
import { configToUse } from '../../config/left-out.ts';
import { unknownName } from '../../config/nearest.ts';
import { resolveStreamAccess } from '../../config/secrets.ts';
import { openReceiver, targetText } from '../../streams/receivers.ts';
import { lagSeconds, makerOf, testEvent } from '../../streams/streams.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, printTable } from '../output.ts';
import { existingAuditUrl } from './audit.ts';

/** Adds `firebreak stream list|test`. */
export function registerStreamCommand(program: Command): void {
  const stream = program.command('stream').description('streams of records to a SIEM or an event store');
  const list = stream.command('list').description('how far each stream has come, and what holds it up');
  withExamples(withConfig(list), ['firebreak stream list', 'firebreak stream list --json']).action(listStreams);
  const test = stream
    .command('test')
    .description('send one test event, and show the receiver’s answer; exit code 1 unless it was accepted')
    .argument('<name>', 'name of the stream');
  withExamples(withConfig(test), ['firebreak stream test siem']).action(testStream);
}

async function listStreams(options: ConfiguredOptions): Promise<void> {
  const config = configToUse(options.config);
  if (config.streams.length === 0)
    return options.json ? printJson([]) : print('No stream is configured: see `streams` in the configuration.');
  const database = await openAsIs({ url: existingAuditUrl(config) });
  try {
    const feed = createStreamFeed(database);
    const rows = await Promise.all(
      config.streams.map(async (stream) => ({
        name: stream.name,
        to: targetText(stream),
        format: stream.format,
        ...(await feed.state(stream.name)),
        lag: await feed.lag(stream.name),
      })),
    );
    if (options.json) return printJson(rows);
    printTable(rows, [
      { title: 'STREAM', text: ({ name }) => name },
      { title: 'TO', text: ({ to }) => to },
      { title: 'FORMAT', text: ({ format }) => format },
      { title: 'PENDING', text: ({ lag }) => String(lag.records) },
      { title: 'OLDEST', text: ({ lag }) => (lag.oldestAt === undefined ? '-' : `${Math.round(lagSeconds(lag))} s`) },
      { title: 'DELIVERED', text: ({ deliveredAt = 'never' }) => deliveredAt },
      { title: 'PROBLEM', text: ({ failing }) => (failing ? `${problemText(failing.reason)}, since ${failing.since}` : '-') },
    ]);
  } finally {
    await database.close();
  }
}

async function testStream(name: string, options: ConfiguredOptions): Promise<void> {
  const config = configToUse(options.config);
  const stream = streamNamed(config.streams, name);
  const access = resolveStreamAccess({ streams: [stream], env: process.env }).get(name) ?? (() => ({}));
  const receiver = await openReceiver(stream, access);
  const event = testEvent(stream.format, makerOf(config), name);
  const sent = await receiver.deliver([event], new AbortController().signal);
  await receiver.close();
  if (sent.state !== 'delivered') process.exitCode = 1;
  if (options.json) return printJson({ stream: name, id: event.id, ...sent });
  const to = targetText(stream);
  print(
    printable(
      sent.state === 'delivered'
        ? `${to} accepted the event ${event.id}: ${sent.answer}`
        : `${to} did not accept the event: ${problemText(sent.reason)}`,
    ),
  );
}

function streamNamed(streams: readonly StreamConfig[], name: string): StreamConfig {
  const found = streams.find((one) => one.name === name);
  if (found) return found;
  throw unknownName({ what: 'stream', written: name, known: streams.map((one) => one.name) });
}
