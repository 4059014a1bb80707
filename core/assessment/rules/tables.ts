import { falcoRules } from './falco.ts';
import { kubescapeRules } from './kubescape.ts';
import type { RuleJudgement } from './rule-judgement.ts';
import { traceeRules } from './tracee.ts';

/** What each gadget traces. */
const source = 'inspektor-gadget.io, the gadget’s page';

/** Gadgets report what happens, not whether it is wrong: of a gadget that is not here, the techniques and the program tell. */
const inspektorGadgetRules: Readonly<Record<string, RuleJudgement>> = {
  trace_init_module: {
    confidence: 'likely',
    act: 'kernel',
    why: 'only drivers load modules from a pod, and those are few',
    source,
  },
  audit_seccomp: {
    confidence: 'weak',
    why: 'the pod’s seccomp profile has stopped or logged a system call: profiles lack rare ones',
    source,
  },
};

/** By sensor, then by the rule's exact name. */
export const ruleTables: Readonly<Record<string, Readonly<Record<string, RuleJudgement>>>> = {
  falco: falcoRules,
  tracee: traceeRules,
  kubescape: kubescapeRules,
  'inspektor-gadget': inspektorGadgetRules,
};
