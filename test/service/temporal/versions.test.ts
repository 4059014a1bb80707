import { expect, test } from '@jest/globals';
import { makeCurrent } from '../../../service/temporal/versions.ts';

/** As gRPC throws it. */
function refusal(code: number): Error {
  return Object.assign(new Error('refused'), { code, details: 'refused', metadata: {} });
}

test.each([
  ['what it does not know yet is waited for', refusal(5), 'Temporal does not know the worker build b1 yet'],
  ['a part of Temporal is away', refusal(14), 'Temporal cannot make the worker build b1 the current one: gRPC status 14'],
  ['nothing answers', new Error('socket'), 'Temporal cannot make the worker build b1 the current one: no answer'],
])('that a build is not the current one says why: %s', async (_, error, detail) => {
  const client = {
    options: { namespace: 'firebreak' },
    workflowService: { setWorkerDeploymentCurrentVersion: () => Promise.reject(error) },
  };
  const making = makeCurrent({ client, deployment: 'firebreak-prod', buildId: 'b1', withinMs: 0 });
  await expect(making).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', detail });
});
