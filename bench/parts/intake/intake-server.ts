import { randomBytes } from 'node:crypto';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { resolverFromNames } from '../../../core/alert/subject.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { temporalGateway } from '../../../service/intake/send/temporal-gateway.ts';
import { startIntake } from '../../../service/intake/start.ts';

/** The intake with its worker in one process, as in the cell: `node intake-server.ts ADDRESS NAMESPACE SPOOL_DIR TOKEN BUNDLE`. Prints its URL. */
const [, , address = '', namespace = 'default', spoolDir = '', token = '', bundle = ''] = process.argv;
const taskQueue = 'bench-intake';
const log = { info: () => {}, warn: () => {}, error: (fields: object, message: string) => console.error(message, fields) };

Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
const connection = await NativeConnection.connect({ address });
const client = new Client({ connection, namespace });
const worker = await Worker.create({
  connection,
  namespace,
  taskQueue,
  // Bundled beforehand, as the service's are: bundling takes more memory than everything else.
  workflowBundle: { codePath: bundle },
  maxCachedWorkflows: 200,
  workflowThreadPoolSize: 1,
});
const working = worker.run();
const box = createBox({ keys: [{ id: 'bench', key: randomBytes(32) }] });
const intake = await startIntake({
  listen: { host: '127.0.0.1', port: 0 },
  tokens: [{ name: 'falco', token }],
  senders: [{ name: 'falco', alertsPerSecond: 1_000_000, burst: 1_000_000 }],
  spoolDir,
  maxBytes: 2_000_000_000,
  cluster: 'bench',
  resolver: resolverFromNames,
  gateway: temporalGateway({ client, taskQueue, begins: (_, start) => ({ input: start }), log }),
  seal: (bytes, aad) => box.seal(bytes, aad),
  log,
});
console.log(intake.url);
process.once('SIGTERM', async () => {
  await intake.stop(60_000);
  worker.shutdown();
  await working;
  await connection.close();
  process.exit(0);
});
