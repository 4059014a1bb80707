import { listReachableSecrets } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { urgent } from '../fragments/asked.ts';
import { removing } from '../fragments/pod.ts';
import { askToRotate } from '../fragments/secrets.ts';
import { programOf } from '../fragments/words.ts';

export const askAboutCredentialSearch = definePlaybook(
  {
    id: 'ask-about-credential-search',
    title: 'Ask about a search for keys and credentials, and rotate what could be found',
    on: {
      match: {
        any: [
          {
            rule: [
              'Search Private Keys or Passwords',
              'Find AWS Credentials',
              'Read ssh information',
              'Read environment variable from /proc files',
              'k8s_cert_theft',
              'proc_mem_access',
            ],
          },
          actsOf('credentials'),
        ],
      },
      minSeverity: 'medium',
      requires: ['pod'],
    },
    uses: { ...removing, listReachableSecrets },
    levels: urgent,
    contains: 'pod',
  },
  async (context) => {
    const { alert } = context;
    const words = {
      question: `Is ${programOf(alert)} in ${alert.pod.name} meant to look for keys and credentials?`,
      expected: 'Yes, one of our scanners or backups',
      ticket: 'A search for credentials',
      todo: 'Keys of clouds, registries and other systems are not Secrets of the cluster: whoever issued them has to revoke them. Check their logs for use from elsewhere.',
    };
    await askToRotate(context, words);
  },
);
