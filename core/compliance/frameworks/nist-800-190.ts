import type { Framework } from '../framework.ts';

export const nist800190: Framework = {
  id: 'nist-800-190',
  name: 'NIST SP 800-190, Application Container Security',
  source: 'NIST SP 800-190 (September 2017), countermeasures of chapter 4: https://doi.org/10.6028/NIST.SP.800-190',
  notListed:
    'Images except 4.1.5, registries (4.2), 4.3.1 and 4.3.3 to 4.3.5, runtime software (4.4.1), hosts (4.5) and hardware (4.6).',
  requirements: [
    {
      id: '4.1.5',
      asks: 'Use of untrusted images',
      measures: ['image-signatures', 'playbooks-run'],
      shown: '`verifyImage` and the playbook about unsigned images check signatures at run time.',
      notShown: 'Images that were never checked.',
    },
    {
      id: '4.3.2',
      asks: 'Unauthorised access to the orchestrator',
      measures: ['incidents-opened'],
      shown: 'The audit sensor sees risky use of the API.',
      notShown: 'How accounts are managed.',
    },
    {
      id: '4.4.2',
      asks: 'Unbounded network access from containers',
      measures: ['containments'],
      shown: 'A suspect pod loses its network.',
      notShown: 'Network policies of healthy pods.',
    },
    {
      id: '4.4.3',
      asks: 'Insecure configurations of containers at run time',
      measures: ['postures', 'posture-findings', 'posture-trend', 'posture-opened', 'posture-gone', 'containments'],
      shown:
        'What the workload of an incident was allowed to do is on record. `hardenWorkload` proposes and applies limits, approved by people.',
      notShown: 'A benchmark of all workloads.',
    },
    {
      id: '4.4.4',
      asks: 'Application vulnerabilities: unexpected behaviour is detected and answered',
      measures: ['incidents-opened', 'containments', 'time-to-contain'],
      shown: 'Alerts about behaviour start playbooks.',
      notShown: 'That each behaviour has a rule.',
    },
    {
      id: '4.4.5',
      asks: 'Rogue containers',
      measures: ['incidents-opened', 'questions-decided'],
      shown: 'People are asked about risky pods and execs.',
      notShown: 'Rogue clusters.',
    },
  ],
};
