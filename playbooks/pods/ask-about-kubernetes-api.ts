import { listReachableSecrets } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { unhurried } from '../fragments/asked.ts';
import { containOrAsk, removing } from '../fragments/pod.ts';
import { programOf } from '../fragments/words.ts';

/** What most containers do all day belongs to `ask-about-unsigned-image`, which only asks about unsigned images. */
export const askAboutKubernetesApi = definePlaybook(
  {
    id: 'ask-about-kubernetes-api',
    title: 'Ask about a container that uses its account at the Kubernetes API, and end its token',
    on: {
      match: {
        any: [
          { rule: ['Kubernetes Client Tool Launched in Container', 'k8s_service_account_token'] },
          { rule: ['Contact K8S API Server From Container', 'k8s_api_connection'], severity: ['critical', 'high', 'medium'] },
          actsOf('kubernetes-api'),
        ],
      },
      minSeverity: 'info',
      requires: ['pod'],
    },
    uses: { ...removing, listReachableSecrets },
    levels: unhurried,
    contains: 'pod',
  },
  async (context) => {
    const { alert, containment, steps, ask, settle, skip } = context;
    const { pod } = alert;
    if (alert.severity === 'info' && !containment)
      skip('Recorded, and nobody is asked: every client of the API reads its token.');
    const { reach } = await settle({ reach: steps.listReachableSecrets({ pod }) });
    const account = reach.ok ? reach.value.output.account : undefined;
    const wide = reach.ok ? [...reach.value.output.wide, ...reach.value.output.detours] : [];
    const answer = await containOrAsk(context, {
      question: `Is ${programOf(alert)} in ${pod.name} meant to use the Kubernetes API${account ? ` as ${account}` : ''}?`,
      expected: 'Yes, it works with the cluster',
      ticket: 'A container uses the Kubernetes API',
      todo: `Its account may do: ${wide.slice(0, 20).join('; ') || 'nothing wide that is known'}. Check the API server’s audit log for what it did. For an application that does not need the API, set automountServiceAccountToken: false.`,
    });
    if (answer !== 'quarantine' || account === undefined) return;
    // A quarantined pod still has a valid token, usable outside the cluster too: only deleting the pod invalidates it.
    const { planned } = await settle({ planned: steps.deletePod.plan({ pod }) });
    if (!planned.ok) return;
    const more = await ask({
      question: `Delete ${pod.name}, so that its token of ${account} ends?`,
      choices: { end: 'Yes', keep: 'No, the pod is still needed' },
      plan: { end: planned.value },
      onSilence: 'The token stays valid as long as the pod exists.',
    });
    if (more.choice === 'end') await steps.deletePod({ pod }, more.approval);
  },
);
