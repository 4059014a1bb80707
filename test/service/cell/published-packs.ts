import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { questionDigest, voteBytes } from '../../../core/decide/approval.ts';
import type { ControlState } from '../../../core/decide/control.ts';
import { type DecisionState, questionOf, type SignedProposal } from '../../../core/decide/decision.ts';
import type { PromotionTerms, ProposePromotion } from '../../../core/orders/promotion.ts';
import type { ReleaseStatement } from '../../../core/playbook/release.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { openSigner } from '../../../integrations/keys/ed25519.ts';
import { PromotedPacks } from '../../../service/cell/control/promoted-packs.ts';
import { rampedFolder } from '../../../service/config/complete.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { type PackFiles, readPack } from '../../../service/packs/pack-files.ts';
import { ReleaseStore, signedRelease } from '../../../service/packs/release-store.ts';
import { createLog } from '../../../service/process/log.ts';
import { acmeFiles, statementOf, writePackFolder } from '../../pack-folder.ts';
import { signature, signedOrder } from '../../workflows/control/control-harness.ts';

export const now = Date.parse('2026-11-27T12:00:00.000Z');
/** When a cell in these tests looks at what was decided: later than every order. */
export const looksAt = now + 3_600_000;
export const tenPercent = { stage: 'percent', percent: 10 } as const;

interface PublishOptions {
  /** Changes the text of the one playbook. */
  readonly playbook?: (text: string) => string;
  readonly statement?: Partial<ReleaseStatement>;
  readonly pack?: string;
  readonly more?: Readonly<Record<string, string>>;
}

/** A store of releases with versions of packs, and cells that run them. */
export async function publishedPacks(folder: string) {
  const store = new ReleaseStore(createFolderShelf({ dir: join(folder, 'shared') }));
  const publisher = await openSigner({ file: join(folder, 'publisher.pem'), create: true });
  const packs = new Map<string, PackFiles>();
  let serial = 0;

  /** Publishes a version of acme, or of a pack with another name, with one line of the pack and one of its playbook changed. */
  async function publish(
    version: string,
    { playbook, statement, pack: name = 'acme', more }: PublishOptions = {},
  ): Promise<void> {
    const miner = acmeFiles['playbooks/miner.ts'] ?? '';
    const files = {
      ...acmeFiles,
      'firebreak.pack.ts': acmeFiles['firebreak.pack.ts']?.replace('1.0.0', version).replace("'acme'", `'${name}'`),
      'playbooks/miner.ts': playbook ? playbook(miner) : miner,
      ...more,
    };
    const pack = readPack({ folder: writePackFolder(join(folder, `${name}-${version}`), files) });
    packs.set(version, pack);
    await store.publish(await signedRelease(statementOf(pack, statement), pack, publisher));
  }

  function termsOf(release: string, over: Partial<PromotionTerms> = {}): PromotionTerms {
    serial += 1;
    return {
      version: 1,
      id: serial.toString(16).padStart(16, '0'),
      cluster: 'lab',
      pack: 'acme',
      release,
      integrity: packs.get(release)?.integrity ?? '',
      stage: 'all',
      widens: [],
      owner: 'ana',
      reason: 'answers miners',
      from: new Date(now + serial * 1_000).toISOString(),
      until: new Date(now + 86_400_000_000).toISOString(),
      ...over,
    };
  }

  /** A cell's configuration with packs from the store, in a separate state directory. */
  function cellWith(promotions: () => readonly PromotionTerms[], more = '', names: readonly string[] = ['acme']) {
    serial += 1;
    const path = join(folder, `cell-${serial}.yaml`);
    writeFileSync(
      path,
      `cluster: lab
stateDir: state-${serial}
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01] }], groups: { oncall: [ada], leads: [ada] } }
releases: { folder: shared, publishers: [{ name: us, key: publisher.pem.pub }] }
packs: [${names.map((name) => `{ release: ${name} }`).join(', ')}]
log: { level: fatal }
${more}`,
    );
    return cellAt(path, promotions);
  }

  return { publish, termsOf, cellWith, integrityOf: (version: string): string => packs.get(version)?.integrity ?? '' };
}

/** The cell of a configuration, as read at start. */
export function cellAt(path: string, promotions: () => readonly PromotionTerms[]) {
  const source = { path, env: {} };
  const asks = () => promotions().map((terms) => ({ terms, proposer: 'ana', approvers: ['ben'] }));
  const started = () => {
    const config = loadConfig(source);
    const next = ramped();
    const differs = next?.packs.find(({ integrity }) => !config.packs.some((one) => one.integrity === integrity));
    const ramping = differs && { pack: differs.name, integrity: differs.integrity };
    const log = createLog(config);
    return new PromotedPacks({ config, secrets: {}, ramping, promotions: asks, log, now: () => looksAt });
  };
  /** Reads what some incidents begin with, as at start. */
  const ramped = () => {
    const promoted = rampedFolder(loadConfig(source).stateDir);
    return existsSync(promoted) ? loadConfig({ ...source, promoted }) : undefined;
  };
  const versions = () => loadConfig(source).packs.map(({ name, version }) => `${name}@${version}`);
  const some = () => ramped()?.packs.map(({ name, version }) => `${name}@${version}`);
  return { source, started, versions, some };
}

const control = { id: 'control/lab', run: 'run-1' };
const levels = [{ group: 'oncall', withinMs: 900_000 }];

/** The state of the control workflow if nothing has been decided. */
export const nothingDecided: ControlState = {
  incident: control,
  cluster: 'lab',
  decisions: [],
  questions: [],
  timeline: [],
  audit: { made: 0, acknowledged: 0 },
};

/** Its state after ana has proposed a promotion and somebody has agreed to it. */
export function decided(terms: PromotionTerms, by: 'ana' | 'ben'): Pick<ControlState, 'decisions' | 'questions'> {
  const order: ProposePromotion = { version: 1, kind: 'promotion.propose', person: 'ana', at: terms.from, terms };
  return agreedTo(signedOrder(order, 'ana'), by);
}

/** The same for any proposal. */
export function agreedTo(proposal: SignedProposal, by: 'ana' | 'ben'): Pick<ControlState, 'decisions' | 'questions'> {
  const question = questionOf({ proposal, control, levels });
  const { from: at, id, until } = proposal.order.terms;
  const digest = questionDigest(question);
  const vote = {
    version: 1,
    id: `v-${id}`,
    incident: control,
    question: question.id,
    questionDigest: digest,
    choice: 'approve',
    person: by,
    via: 'cli',
    reason: 'read it',
    at,
  } as const;
  const votes = [{ vote, keyId: by, signature: signature(voteBytes(vote), by) }];
  const decision: DecisionState = { proposal, question: question.id, status: { state: 'active', since: at } };
  const status = { state: 'decided', choice: 'approve', by: [by], at } as const;
  return {
    decisions: [decision],
    questions: [{ question, digest, votes, status, level: 0, levelUntil: until, askedAt: at, plans: [] }],
  };
}
