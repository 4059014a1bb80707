import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Admin } from '@platformatic/kafka';
import { FirebreakError } from '../../core/errors.ts';
import { askAgain, cachedPart, type OnProgress, withProgress } from '../../service/parts/cache.ts';
import { findOnPath, runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { freePorts } from './ports.ts';
import { type RunningServer, ServerGroup, waitUntilReady } from './server-group.ts';

export interface KafkaBroker {
  readonly host: string;
  /** `plain`: no TLS, no account; `scram`: TLS and an account; `mutual`: TLS with a client certificate. */
  readonly ports: Readonly<Record<'plain' | 'scram' | 'mutual', number>>;
  readonly account: { readonly username: string; readonly password: string };
  /** PEM: the CA that clients trust, and their own certificate and key. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Kills it in the middle of its work. Its data and its ports stay. */
  kill(): Promise<void>;
  /** Starts it again. */
  start(): Promise<void>;
  /** The first `count` records of a topic, as read by Apache's own consumer. */
  read(topic: string, count: number): Promise<readonly KafkaRecord[]>;
  stop(): Promise<void>;
}

export interface KafkaRecord {
  readonly partition: number;
  readonly headers: string;
  readonly key: string;
  readonly value: string;
}

const host = '127.0.0.1';
const module = join('tools', 'platform', 'kafka');
/** Small and quick to start, since it lives only for a test. */
const javaFlags = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];

/**
 * Apache Kafka's own broker on this machine, which is also its own controller: from Maven, once. Certificates are made with openssl, its data is in the state
 * folder. Throws FB_ERR_PLATFORM_PART_MISSING if there is no Java or no Maven, FB_ERR_PLATFORM_START.
 */
export async function startKafkaBroker(options: {
  readonly stateDir: string;
  readonly onProgress?: OnProgress;
}): Promise<KafkaBroker> {
  const { stateDir, onProgress = () => {} } = options;
  const java = findOnPath('java');
  if (!java) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'java is not on PATH');
  const classPath = join(await kafkaJars(onProgress), '*');
  const folder = join(stateDir, 'kafka');
  mkdirSync(folder, { recursive: true });
  const ports = await freePorts({ names: ['plain', 'scram', 'mutual', 'controller'] as const });
  const account = { username: 'firebreak', password: 'only-on-this-machine' };
  for (const name of ['broker', 'client']) await makeCertificate(folder, name);
  const pem = (file: string): string => readFileSync(join(folder, file), 'utf8');
  // The broker expects a key and its certificate in one file.
  writeFileSync(join(folder, 'broker.pem'), `${pem('broker.key')}${pem('broker.crt')}`, { mode: 0o600 });
  const properties = join(folder, 'server.properties');
  writeFileSync(properties, propertiesOf(folder, ports), { mode: 0o600 });
  const users = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${account.username},password=${account.password}]`,
  ]);
  const program = [...javaFlags, '-cp', classPath];
  const run = async (args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCommand({ command: java, args: [...program, ...args] });
    if (code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_START', `${args[0]}: ${(stderr || stdout).trim().slice(-600)}`);
    return stdout;
  };
  const cluster = 'ZmlyZWJyZWFrLXRlc3RzMQ';
  await run(['kafka.tools.StorageTool', 'format', '--standalone', '-t', cluster, '-c', properties, ...users]);
  const group = new ServerGroup();
  let server: RunningServer | undefined;
  const start = async (): Promise<void> => {
    const args = [...program, 'kafka.Kafka', properties];
    server = group.start({ name: 'kafka', command: java, args, logFile: join(folder, 'kafka.log') });
    await waitUntilReady({ server, timeoutMs: 120_000, ready: () => isServing(ports.plain) });
  };
  await start();
  onProgress(`Kafka is serving at ${host}:${ports.plain}`);
  return {
    host,
    ports,
    account,
    tls: { ca: pem('broker.crt'), cert: pem('client.crt'), key: pem('client.key') },
    start,
    kill: async () => {
      if (server) await group.end(server, 'SIGKILL');
    },
    read: async (topic, count) => {
      const shown = ['key', 'partition', 'headers'].flatMap((part) => ['--formatter-property', `print.${part}=true`]);
      const from = ['--bootstrap-server', `${host}:${ports.plain}`, '--topic', topic, '--from-beginning'];
      const consumer = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
      const text = await run([consumer, ...from, '--max-messages', String(count), ...shown]);
      return text.trimEnd().split('\n').map(recordIn);
    },
    stop: () => group.stop(),
  };
}

/** Parses a record as Apache's consumer prints it: tab-separated parts. */
function recordIn(line: string): KafkaRecord {
  const [partition = '', headers = '', key = '', ...value] = line.split('\t');
  return { partition: Number(partition.replace('Partition:', '')), headers, key, value: value.join('\t') };
}

/** The folder with Kafka's jars: from Maven, once. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function kafkaJars(onProgress: OnProgress): Promise<string> {
  const pom = join(projectRoot(), module, 'pom.xml');
  const version = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 16);
  const install = async (draft: string, run: (options: Parameters<typeof runCommand>[0]) => ReturnType<typeof runCommand>) => {
    const maven = findOnPath('mvn');
    if (!maven) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', 'mvn is not on PATH, and Kafka is not in the cache');
    await withProgress({
      what: 'fetching Apache Kafka with Maven, once',
      onProgress,
      work: async () => {
        const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${draft}`, '-DincludeScope=runtime'];
        const refused = await askAgain(async () => {
          const { code, stdout } = await run({ command: maven, args: ['-q', '-B', '-f', pom, ...copy] });
          const isThere = existsSync(join(draft, 'kafka_2.13-4.3.1.jar'));
          return code === 0 && isThere ? undefined : stdout.trim().slice(-300);
        });
        if (refused !== undefined)
          throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `Maven did not deliver Kafka: ${refused}`);
      },
    });
  };
  return cachedPart({ name: 'kafka', version, source: 'Maven: org.apache.kafka', install, onProgress });
}

/** Makes a certificate for a local server or for a client: `NAME.crt` and `NAME.key`. */
export async function makeCertificate(folder: string, name: string): Promise<void> {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const about = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=IP:${host},DNS:localhost`];
  const out = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)];
  const made = await runCommand({ command: 'openssl', args: ['req', '-x509', ...curve, ...out, ...about] });
  if (made.code !== 0)
    throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `openssl did not create a certificate: ${made.stderr}`);
}

function propertiesOf(
  folder: string,
  { plain, scram, mutual, controller }: Readonly<Record<'plain' | 'scram' | 'mutual' | 'controller', number>>,
): string {
  const listeners = `PLAIN://${host}:${plain},SCRAM://${host}:${scram},MUTUAL://${host}:${mutual}`;
  const login = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `${host}:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `${listeners},CONTROLLER://${host}:${controller}`,
    'advertised.listeners': listeners,
    'inter.broker.listener.name': 'PLAIN',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAIN:PLAINTEXT,SCRAM:SASL_SSL,MUTUAL:SSL',
    'listener.name.scram.sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.scram.scram-sha-256.sasl.jaas.config': login,
    'listener.name.scram.scram-sha-512.sasl.jaas.config': login,
    'listener.name.mutual.ssl.client.auth': 'required',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': join(folder, 'broker.pem'),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': join(folder, 'client.crt'),
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': false,
    'offsets.topic.num.partitions': 1,
    'offsets.topic.replication.factor': 1,
    'group.initial.rebalance.delay.ms': 0,
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

async function isServing(port: number): Promise<boolean> {
  const admin = new Admin({ clientId: 'ready', bootstrapBrokers: [`${host}:${port}`], retries: 0 });
  const brokers = await admin.metadata({}).then(
    (metadata) => metadata.brokers.size,
    () => 0,
  );
  await admin.close();
  return brokers > 0;
}
