import { type Command, InvalidArgumentError, Option } from 'commander';
import { severities } from '../../../core/alert/severity.ts';
import { silenceUnder } from '../../../core/assessment/assessment.ts';
import { ownConfidences } from '../../../core/assessment/rule-confidence.ts';
import type { ExplainedRule, RuleQuestion } from '../../coverage/explain-rule.ts';
import { type ConfiguredOptions, namespaceName, withConfig, withExamples } from '../options.ts';
import { print, printable, printFacts, printJson, severityText, styled } from '../output.ts';

interface ExplainOptions extends ConfiguredOptions, Omit<RuleQuestion, 'secondRule'> {
  readonly secondRule?: string;
  readonly namespaceLabel?: Readonly<Record<string, string>>;
  readonly workloadLabel?: Readonly<Record<string, string>>;
  readonly baseline?: string;
}

/** Adds `firebreak explain`: what would happen now if a rule fired, by the configuration alone. `firebreak why` says what has happened to a pod. */
export function registerExplainCommand(program: Command): void {
  withExamples(
    withConfig(
      program
        .command('explain')
        .description(
          'show what would happen now if a rule fired in a namespace, and why: from the configuration, without a cluster',
        )
        .requiredOption('-n, --namespace <name>', 'the namespace', namespaceName)
        .requiredOption('--rule <name>', 'the rule, as its alerts name it')
        .option('--pod <name>', 'the pod (default: any)')
        .addOption(new Option('--severity <severity>', 'instead of the rule’s own').choices(severities))
        .option('--sensor <name>', 'the sensor, if several have the rule, or for a rule of your own')
        .option('--second-rule <name>', 'a rule that fires in the same pod half a minute later')
        .option('--namespace-label <name=value>', 'a label of the namespace; may be repeated', label)
        .option('--workload-label <name=value>', 'a label of the workload; may be repeated', label)
        .option('--baseline <file>', 'what is normal, from `firebreak assess --learn`'),
    ),
    [
      'firebreak explain --namespace shop --rule "Terminal shell in container"',
      'firebreak explain -n shop --rule "Terminal shell in container" --second-rule "Drop and execute new binary in container"',
      'firebreak explain -n shop --rule "Our own rule" --sensor falco --severity critical --json',
    ],
  ).action(explain);
}

function label(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [name = '', ...value] = text.split('=');
  if (name === '' || value.length === 0) throw new InvalidArgumentError('Expected NAME=VALUE.');
  return { ...before, [name]: value.join('=') };
}

async function explain(options: ExplainOptions): Promise<void> {
  const { namespace, pod, rule, sensor, severity, secondRule, namespaceLabel, workloadLabel, baseline, json } = options;
  const { loadConfig } = await import('../../config/load.ts');
  const { explainRule } = await import('../../coverage/explain-rule.ts');
  const { enabledPlaybooks } = await import('../../config/packs.ts');
  const { rulesOf } = await import('../../process/rules.ts');
  const config = loadConfig({ path: options.config, env: process.env });
  const question: RuleQuestion = {
    namespace,
    rule,
    ...(pod !== undefined && { pod }),
    ...(sensor !== undefined && { sensor }),
    ...(severity !== undefined && { severity }),
    ...(secondRule !== undefined && { secondRule }),
  };
  const settings = {
    cluster: config.cluster,
    playbooks: enabledPlaybooks(config),
    guardrails: rulesOf(config),
    capWindowMinutes: config.guardrails.capWindowMinutes,
    severities: config.sensors,
    response: config.response,
    own: ownConfidences(config.sensors, enabledPlaybooks(config)),
    ...(namespaceLabel && { namespaceLabels: namespaceLabel }),
    ...(workloadLabel && { workloadLabels: workloadLabel }),
    ...(baseline !== undefined && { baseline: (await import('../../../integrations/baseline-file.ts')).readBaseline(baseline) }),
  };
  const explained = explainRule(question, settings, Date.now());
  if (json) printJson(explained);
  else printExplained(explained);
}

function printExplained({ namespace, pod, sensor, policy, cases, limits }: ExplainedRule): void {
  printFacts([
    [
      'where',
      printable(
        pod === null
          ? 'no pod: the rule is about a node or the API server'
          : `namespace ${namespace}, ${pod === 'any' ? 'any pod' : `pod ${pod}`}`,
      ),
    ],
    ['sensor', printable(sensor)],
    ['mode', `${policy.mode}, profile ${policy.profile}, by ${printable(policy.scope)}`],
    [
      'on silence',
      silenceUnder(policy) === 'contain'
        ? 'the pod is cut off if nobody answers a question'
        : 'nothing is done if nobody answers',
    ],
  ]);
  for (const { when, rule, severity, assessment, effect, playbooks } of cases) {
    print();
    print(`${styled('bold', printable(when))}: ${printable(rule)} (${severityText(severity)})`);
    print(`  ${styled('bold', `${assessment.response}:`)} ${printable(effect)}`);
    for (const reason of assessment.reasons) print(`  - ${printable(reason)}`);
    for (const { id, title } of playbooks) print(`  playbook ${printable(id)}: ${printable(title)}`);
  }
  print();
  for (const limit of limits) print(printable(limit));
}
