import type { Alert } from '../alert/alert.ts';
import type { Severity } from '../alert/severity.ts';
import { worse } from '../alert/severity.ts';
import { actKindOf } from '../assessment/act-kind.ts';
import { observedIn } from './observed-acts.ts';

/** What a policy is about, according to its name or tags, and how severe that is. */
interface Weight {
  readonly severity: Severity;
  readonly pattern: RegExp;
}

/**
 * Tetragon's policies carry no severity: hook and arguments tell it, and these words of the name. The first entry that fits counts. Nothing here is critical:
 * automatic consequences must not follow from a name. Your own policy may state it: by a tag (`severity.critical`), or in `sensors.tetragon.severities`.
 */
const tetragonWeights: readonly Weight[] = [
  {
    severity: 'info',
    pattern: /raw[-_]?syscalls|^rawtp$|list-syscalls|all-(?:k?sys|syscalls)|stack-traces|^sample|lseek|tracing-policy-example/,
  },
  {
    severity: 'high',
    pattern:
      /\bcve-\d{4}|kernel[-_]?module|module_request|init_module|user-namespace|pivot[-_]root|ptrace|setuid-root|(?:sym|hard|)link[-_](?:at[-_])?passwd|linkat-passwd|enforce-/,
  },
  {
    severity: 'medium',
    pattern:
      /privileges?-|creds|credentials|setuid|\bbpf\b|file-monitoring|outside-cluster|connect-only|dns-only|security-override|clock-settime|mount|commit-creds|cap_|kill-syscalls|follow-symlink/,
  },
];

/** For KubeArmor's templates, by name and tags; see above. */
const kubearmorWeights: readonly Weight[] = [
  {
    severity: 'high',
    pattern:
      /malware|virus|trojan|miner|mining|botinger|teamtnt|bpfdoor|backdoor|remote-code|\brce\b|\bcve-\d{4}|escape|netcat|ptrace|proc-mem|process-injection|kernel-module/,
  },
  {
    severity: 'medium',
    pattern:
      /mitre|credential|private-?key|password|shadow|shell|cron|set[ug]id|sudo|package-manage|network-tools?|network-service-scan|remote-copy|k8s-client|ssh|traversal|pickle|dirtypipe|defaultposture|bash-spawn/,
  },
];

/** Techniques named in an alert's tags, used if its policy's name says nothing. https://attack.mitre.org/versions/v19 */
const gravest = /^T(?:1611|1055|1014|1547\.006|1496|1620|1190|1203|1485|1486)(?:\.|$)/;

function worstFitting(weights: readonly Weight[], text: string): Severity | undefined {
  return weights.find(({ pattern }) => pattern.test(text))?.severity;
}

function byTechnique({ mitre }: Alert): Severity | undefined {
  if (mitre.some((id) => gravest.test(id))) return 'high';
  return mitre.some((id) => id.startsWith('T1')) ? 'medium' : undefined;
}

/** Kinds of Tetragon events that no policy asked for: not every process start is an alert. */
const telemetry = /^process_(?:exec|exit|loader|connect|listen|accept|close)$/;

/**
 * Adds a severity to an alert whose sensor gave none. For Tetragon and KubeArmor, whose policies mostly state none: by what the hook and its
 * arguments say, the policy's name, its tags and techniques; the worst counts. KubeArmor reports 1, the lowest, if a policy gives no severity, so 1 means nothing either. The configuration takes precedence.
 */
export function withDefaultSeverity(alert: Alert): Alert {
  const { sensor, rule, severity, tags } = alert;
  if (sensor === 'tetragon' && severity === 'unknown' && !telemetry.test(rule)) {
    const isStopped = tags.includes('enforced');
    const named = worstFitting(tetragonWeights, [rule, ...tags].join(' ').toLowerCase()) ?? byTechnique(alert);
    const told = worse(observedIn(alert)?.severity ?? 'unknown', named ?? 'unknown');
    return { ...alert, severity: told === 'unknown' ? (isStopped ? 'medium' : 'low') : told };
  }
  if (sensor === 'kubearmor' && (severity === 'unknown' || severity === 'info')) {
    const text = [rule, ...tags].join(' ').toLowerCase();
    const named = worstFitting(kubearmorWeights, text) ?? byTechnique(alert) ?? 'low';
    return { ...alert, severity: worse(observedIn(alert)?.severity ?? 'unknown', named) };
  }
  // A process without a policy or a rule is an alert only if its program, or what was traced, tells what was done.
  if ((sensor === 'tetragon' || sensor === 'inspektor-gadget') && severity === 'unknown') {
    const act = actKindOf(alert);
    if (act !== undefined) return { ...alert, severity: act === 'miner' || act === 'kernel' ? 'high' : 'medium' };
  }
  return alert;
}
