import { expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import { makeCurrent, openBuilds } from '../../../service/temporal/versions.ts';

/** The error as gRPC throws it. */
function refusal(code: number): Error {
  return Object.assign(new Error('refused'), { code, details: 'refused', metadata: {} });
}

test.each([
  ['Temporal does not know it yet', refusal(5), 'Temporal does not know the worker build b1 yet'],
  ['a part of Temporal is down', refusal(14), 'Temporal cannot make the worker build b1 the current one: gRPC status 14'],
  ['nothing answers', new Error('socket'), 'Temporal cannot make the worker build b1 the current one: no answer'],
])('a build that is not the current one says why: %s', async (_, error, detail) => {
  const client = {
    options: { namespace: 'firebreak' },
    workflowService: {
      setWorkerDeploymentCurrentVersion: () => Promise.reject(error),
      setWorkerDeploymentManager: () => Promise.reject(error),
      describeWorkerDeployment: () => Promise.reject(error),
      listWorkerDeployments: () => Promise.reject(error),
    },
  };
  const making = makeCurrent({ client, deployment: 'firebreak-prod', buildId: 'b1', withinMs: 0 });
  await expect(making).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', detail });
});

test.each([
  ['full of builds under our name', 100, 0, /yet\. It knows 100 builds of firebreak-prod, .* matching\.maxVersionsInDeployment/],
  ['not full', 99, 0, /yet$/],
  ['full of other deployments', undefined, 100, /yet\. It knows 100 other deployments in firebreak, .* matching\.maxDeployments/],
  ['new, among others', undefined, 12, /yet$/],
])('a build that Temporal does not accept, since Temporal is %s, says what to check', async (_, builds, others, detail) => {
  const client = {
    options: { namespace: 'firebreak' },
    workflowService: {
      setWorkerDeploymentCurrentVersion: () => Promise.reject(refusal(5)),
      setWorkerDeploymentManager: () => Promise.reject(refusal(5)),
      describeWorkerDeployment: async () => {
        if (builds === undefined) throw refusal(5);
        return {
          workerDeploymentInfo: {
            versionSummaries: Array.from({ length: builds }, (_, n) => ({ deploymentVersion: { buildId: `b${n + 2}` } })),
          },
        };
      },
      listWorkerDeployments: async () => ({ workerDeployments: Array.from({ length: others }) }),
    },
  };
  const making = makeCurrent({ client, deployment: 'firebreak-prod', buildId: 'b1', withinMs: 0 });
  await expect(making).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', detail: expect.stringMatching(detail) });
});

test('only some of thousands of open incidents of older builds are read to find out which builds they have', async () => {
  const build = (n: number): string => String(n).padStart(16, '0');
  const open = [...Array.from({ length: 3_000 }, () => build(1)), build(2), ...Array.from({ length: 50 }, () => build(3))];
  let read = 0;
  async function* list({ query }: { readonly query: string }) {
    for (const id of open) {
      if (query.includes(`!= 'firebreak-prod:${id}'`)) continue;
      read += 1;
      const data = Buffer.from(`"firebreak-prod:${id}"`);
      yield { raw: { searchAttributes: { indexedFields: { TemporalWorkerDeploymentVersion: { data } } } } };
    }
  }
  const client = Object.create(Client.prototype, { workflow: { value: { list } } });
  const found = await openBuilds({ client, deployment: 'firebreak-prod', except: [build(3)] });
  expect([...found].sort()).toEqual([build(1), build(2)]);
  expect(read).toBeLessThan(200);
});
