import type { Framework } from '../framework.ts';

export const cisKubernetes: Framework = {
  id: 'cis-kubernetes',
  name: 'CIS Kubernetes Benchmark: what response and posture can show',
  source:
    'CIS Kubernetes Benchmark v2.0.1 (Kubernetes 1.34 and 1.35); titles in our words: https://www.cisecurity.org/benchmark/kubernetes',
  notListed: 'All others: of the control plane, etcd, kubelets and nodes (1, 2, 3.1, 3.2.2, 4), and of chapter 5.',
  requirements: [
    {
      id: '3.2.1',
      asks: 'An audit policy is in place',
      measures: ['audit-incidents'],
      shown: 'Incidents that API audit events opened show that such events are written and arrive.',
      notShown: 'The policy itself.',
    },
    {
      id: '5.1.x',
      asks: 'Rights of accounts are minimal',
      measures: [],
      shown:
        '`firebreak rbac risks` lists what an attacker with the token of each of its own accounts could do. The record `posture.found` of an incident says what the account of its workload may do.',
      notShown: 'Accounts of workloads that had no incident. No record counts this.',
    },
    {
      id: '5.2.x',
      asks: 'Pods run with minimal rights',
      measures: ['postures', 'posture-findings', 'posture-trend', 'posture-opened', 'posture-gone', 'containments'],
      shown:
        'What the workload of an incident was allowed to do is on record, with the number of each recommendation. `hardenWorkload` applies limits once approved.',
      notShown: 'Pods that had no incident: use a posture scanner.',
    },
    {
      id: '5.3.2',
      asks: 'All namespaces have network policies',
      measures: ['containments'],
      shown: 'A quarantine’s policy denies everything to a suspect pod.',
      notShown: 'Policies of healthy pods.',
    },
    {
      id: '5.4.1',
      asks: 'Secrets are files, not environment variables',
      measures: [],
      notShown: 'Not seen by Firebreak.',
    },
    {
      id: '5.5.1',
      asks: 'Images’ provenance is checked',
      measures: ['image-signatures'],
      shown: '`verifyImage` checks signatures after an alert.',
      notShown: 'Admission control.',
    },
  ],
};
