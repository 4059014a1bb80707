import { actKindOf } from '../assessment/act-kind.ts';
import type { ActKind } from '../assessment/rules/act-kinds.ts';
import type { Subject } from '../incident/incident.ts';
import { lastPart } from '../text/object-name.ts';
import { cutText, oneLine } from '../text/visible-text.ts';
import type { Alert, ApiRequest } from './alert.ts';
import { subjectOf } from './subject.ts';

/**
 * What an alert says happened, in plain words: one for all surfaces. The words are ours. The attacker's own (program, user, account) are names in them: short,
 * on one line, and in quotation marks if they could be read as a sentence, a link or a mention. Each surface still escapes the whole.
 */

/** The parts of an alert that the words are made from. */
export interface RanFacts {
  readonly sensor: string;
  readonly rule: string;
  /** The kind of act; absent: by sensor and rule alone. */
  readonly act?: ActKind;
  /** Path or name of the program. */
  readonly process?: string;
  readonly user?: string;
  readonly request?: RequestFacts;
}

type RequestFacts = Pick<ApiRequest, 'account' | 'verb' | 'resource' | 'subresource' | 'namespace' | 'name'>;

interface WhatRan {
  /** For a title, a list or a telephone that reads aloud: `New binary kdevtmpfsi ran in pay/ledger`. Without the names of pods. */
  readonly title: string;
  /** Who did what, where, and why that matters: `User root ran /tmp/kdevtmpfsi in pay/ledger; it is not in the image`. */
  readonly sentence: string;
}

const longestName = 60;
const longestPath = 100;
const longestRule = 120;
const longestTitle = 200;

interface Ran {
  readonly program: string;
  readonly rule: string;
  /** `in pay/ledger`, `on node n1`. */
  readonly at: string;
}

interface ActWords {
  readonly title: (ran: Ran) => string;
  /** Completes the sentence; `it` is the program. */
  readonly remark: (ran: Ran) => string;
}

/** What the sensor does not prove is said as `may`. */
const actWords: Readonly<Record<ActKind, ActWords>> = {
  miner: {
    title: ({ program, at }) => `Suspected miner ${program} ran ${at}`,
    remark: () => 'it may be mining cryptocurrency',
  },
  'new-binary': { title: newBinaryTitle, remark: newBinaryRemark },
  escape: {
    title: ({ program, at }) => `${program} may have left its container ${at}`,
    remark: () => 'it may have reached the node',
  },
  kernel: {
    title: ({ program, at }) => `${program} may have changed the kernel: it ran ${at}`,
    remark: () => 'it may have changed the kernel of the node',
  },
  injection: {
    title: ({ program, at }) => `${program} may have changed another process ${at}`,
    remark: () => 'it may have changed another process',
  },
  'reverse-shell': {
    title: ({ program, at }) => `Suspected reverse shell ${program} opened ${at}`,
    remark: () => 'it may be controlled over the network',
  },
  privilege: {
    title: ({ program, at }) => `${program} may have gained rights ${at}`,
    remark: () => 'it may have gained more rights',
  },
  destruction: {
    title: ({ program, at }) => `${program} may have deleted data or traces ${at}`,
    remark: () => 'it may have deleted data or traces',
  },
  persistence: {
    title: ({ program, at }) => `${program} may survive a restart: it ran ${at}`,
    remark: () => 'what it changed may survive a restart',
  },
  credentials: {
    title: ({ program, at }) => `${program} may have read keys or passwords ${at}`,
    remark: () => 'it may have read keys or passwords',
  },
  'kubernetes-api': {
    title: ({ program, at }) => `${program} called the Kubernetes API ${at}`,
    remark: () => 'it called the Kubernetes API',
  },
  network: {
    title: ({ program, at }) => `${program} made a suspicious connection ${at}`,
    remark: () => 'it used the network in a suspicious way',
  },
  tools: {
    title: ({ program, at }) => `${program} loaded or installed tools ${at}`,
    remark: () => 'it loaded or installed tools',
  },
  exfiltration: {
    title: ({ program, at }) => `${program} may have sent data away: it ran ${at}`,
    remark: () => 'it may have sent data away',
  },
  application: {
    title: ({ program, at }) => `${program} ran ${at}: the application may be exploited`,
    remark: () => 'the application may be exploited',
  },
  shell: { title: ({ program, at }) => `Shell ${program} opened ${at}`, remark: () => 'it is a shell' },
  'file-access': {
    title: ({ program, at }) => `${program} used a protected file ${at}`,
    remark: () => 'it used a protected file',
  },
  hardening: {
    title: ({ program, at }) => `${program} broke a policy ${at}`,
    remark: () => 'a policy forbids it',
  },
};

const notInImage: ReadonlySet<string> = new Set([
  'Drop and execute new binary in container',
  'Executing binary not part of base image',
  'dropped_executable',
]);
const fromMemory = /fileless|memfd/i;

function newBinaryTitle({ program, rule, at }: Ran): string {
  if (fromMemory.test(rule)) return `${program} ran from memory ${at}`;
  return notInImage.has(rule) ? `New binary ${program} ran ${at}` : `Unexpected binary ${program} ran ${at}`;
}

function newBinaryRemark({ rule }: Ran): string {
  if (fromMemory.test(rule)) return 'it ran from memory, without a file';
  return notInImage.has(rule) ? 'it is not in the image' : 'it may not belong there';
}

export function whatRan(facts: RanFacts, subject: Subject): WhatRan {
  const { sensor, rule, process, user, request } = facts;
  const place = placeText(subject);
  if (request !== undefined) {
    const sentence = requestText(request, subject);
    return { title: cutText(sentence, longestTitle), sentence };
  }
  const told = oneLine(ruleText(rule), longestRule);
  if (process === undefined || process.trim() === '') {
    const sentence = `${told} (${place})`;
    return { title: cutText(sentence, longestTitle), sentence };
  }
  const act = facts.act ?? actKindOf({ sensor, rule });
  const words = act && actWords[act];
  const at = `${subject.kind === 'node' ? 'on' : 'in'} ${place}`;
  const ran: Ran = { program: nameText(lastPart(process), longestName), rule, at };
  const path = nameText(process, longestPath);
  const who = user === undefined ? `${path} ran` : `User ${nameText(user, longestName)} ran ${path}`;
  return {
    title: cutText(words ? words.title(ran) : `${ran.program} ran ${at}: ${told}`, longestTitle),
    sentence: `${who} ${at}${words ? `; ${words.remark(ran)}` : ''}`,
  };
}

/** The same for a whole alert. */
export function whatRanIn(alert: Alert): WhatRan {
  const { sensor, rule, process = {}, apiRequest } = alert;
  const act = actKindOf(alert);
  const program = process.exe ?? process.name;
  return whatRan(
    {
      sensor,
      rule,
      ...(act && { act }),
      ...(program !== undefined && { process: program }),
      ...(process.user !== undefined && { user: process.user }),
      ...(apiRequest && { request: apiRequest }),
    },
    subjectOf(alert),
  );
}

/** Returns `pay/ledger`, `node n1`, `cluster prod-1`, without the kind of the owner. */
export function placeText(subject: Subject): string {
  if (subject.kind === 'cluster') return `cluster ${subject.cluster}`;
  return subject.kind === 'node' ? `node ${subject.node}` : `${subject.namespace}/${subject.name}`;
}

/** Turns rule names written for programs, such as `k8s_service_account_token`, into words. */
export function ruleText(rule: string): string {
  return /\s/.test(rule) ? rule : rule.replaceAll(/[_-]+/g, ' ');
}

/** Names as programs, users and accounts usually have them: they cannot be read as anything else. */
const plainName = /^\/?[\w.+-]+(?:[/:][\w.+-]+)*$/;
const address = /^(?:https?|ftp|mailto):|^www\.|\/\//i;

/** A name that somebody else has chosen, as one word of a sentence. The end of a long path tells more than its start. */
function nameText(name: string, most: number): string {
  const line = oneLine(name, 2_000);
  const short = line.length <= most ? line : `…${line.slice(1 - most).replace(/^[\udc00-\udfff]/, '')}`;
  if (plainName.test(line) && !address.test(line)) return short;
  return `“${short.replaceAll(/[“”"]/g, '’')}”`;
}

/** Verbs of the Kubernetes API, in the past tense. https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb */
const did: Readonly<Record<string, string>> = {
  get: 'read',
  list: 'listed',
  watch: 'watched',
  create: 'created',
  update: 'changed',
  patch: 'changed',
  delete: 'deleted',
  deletecollection: 'deleted all',
};
const reached: Readonly<Record<string, string>> = {
  exec: 'ran a command in',
  attach: 'attached to',
  portforward: 'opened a port to',
  ephemeralcontainers: 'added a container to',
};

/** Turns `system:serviceaccount:shop:cart` into `The service account shop/cart`; other names stay as they are. */
function accountText(account: string): string {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(account) ?? [];
  return namespace === undefined
    ? `User ${nameText(account, longestPath)}`
    : `The service account ${nameText(`${namespace}/${name}`, longestPath)}`;
}

function requestText({ account, verb, resource, subresource, namespace, name }: RequestFacts, subject: Subject): string {
  // A pod is named by its workload: its own name ends in letters that nobody remembers.
  const isItsPod = resource === 'pods' && subject.kind === 'workload' && subject.namespace === namespace;
  const on = isItsPod ? placeText(subject) : [namespace, name].filter((part) => part !== undefined).join('/');
  const target = on === '' ? '' : ` ${nameText(on, longestPath)}`;
  const way = subresource === undefined ? undefined : reached[subresource];
  if (way !== undefined) return `${accountText(account)} ${way}${target === '' ? ' a pod' : target}`;
  const what = resource === undefined ? 'something' : nameText(resource, longestName);
  return `${accountText(account)} ${did[verb] ?? `did “${oneLine(verb, 40)}” to`} ${what}${target}`;
}
