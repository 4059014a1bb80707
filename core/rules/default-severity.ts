import type { Alert } from '../alert/alert.ts';
import type { Severity } from '../alert/severity.ts';

/** What a policy is about, as its name or tags tell, and how bad that is. */
interface Weight {
  readonly severity: Severity;
  readonly pattern: RegExp;
}

/**
 * Policies of Tetragon carry no severity. The first that fits counts. Nothing here is critical: what follows by itself must not follow from a name.
 * An own policy says better: by a tag (`severity.critical`), or in `sensors.tetragon.severities`.
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

/** Of KubeArmor's templates by name and tags; see above. */
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

/** Techniques that an alert's tags name, where its policy's name says nothing. https://attack.mitre.org/versions/v19 */
const gravest = /^T(?:1611|1055|1014|1547\.006|1496|1620|1190|1203|1485|1486)(?:\.|$)/;

function worstFitting(weights: readonly Weight[], text: string): Severity | undefined {
  return weights.find(({ pattern }) => pattern.test(text))?.severity;
}

function byTechnique({ mitre }: Alert): Severity | undefined {
  if (mitre.some((id) => gravest.test(id))) return 'high';
  return mitre.some((id) => id.startsWith('T1')) ? 'medium' : undefined;
}

/** Kinds of Tetragon's events that no policy asked for: every start of a process is none. */
const telemetry = /^process_(?:exec|exit|loader)$/;

/**
 * The alert with a severity where its sensor gave none. Of Tetragon and KubeArmor, whose policies mostly say nothing: by the policy's name, its tags and
 * techniques. KubeArmor writes 1, the lowest, where a policy gives no severity, so that 1 says nothing either. What the configuration says goes before.
 */
export function withDefaultSeverity(alert: Alert): Alert {
  const { sensor, rule, severity, tags } = alert;
  if (sensor === 'tetragon' && severity === 'unknown' && !telemetry.test(rule)) {
    const isStopped = tags.includes('enforced');
    const told = worstFitting(tetragonWeights, [rule, ...tags].join(' ').toLowerCase()) ?? byTechnique(alert);
    return { ...alert, severity: told ?? (isStopped ? 'medium' : 'low') };
  }
  if (sensor === 'kubearmor' && (severity === 'unknown' || severity === 'info')) {
    const text = [rule, ...tags].join(' ').toLowerCase();
    return { ...alert, severity: worstFitting(kubearmorWeights, text) ?? byTechnique(alert) ?? 'low' };
  }
  return alert;
}
