import { describe, expect, test } from '@jest/globals';
import { errorOfStatus } from '../../../integrations/kubernetes/client-error.ts';

const of = (status: number, said: unknown) =>
  errorOfStatus({ status, text: typeof said === 'string' ? said : JSON.stringify(said), what: 'patch pods in shop' });

describe('what the API server says', () => {
  test('about a policy, a webhook or a permission is quoted on one line, without secrets', () => {
    const policy = {
      message: `pods "cart" is forbidden: ValidatingAdmissionPolicy 'no-labels' with binding 'all' denied request: labels\nstay`,
      reason: 'Invalid',
    };
    expect(of(422, policy)).toMatchObject({
      code: 'FB_ERR_API_REFUSED',
      retryable: false,
      status: 422,
      reason: 'Invalid',
      detail:
        "the API server rejected: patch pods in shop (422 Invalid): ValidatingAdmissionPolicy 'no-labels' with binding 'all' denied request: labels stay",
    });
    const webhook = { message: 'admission webhook "guard.acme.com" denied the request: password=hunter2 \u202e is set' };
    const { detail } = of(400, webhook);
    expect(detail).toContain('admission webhook "guard.acme.com" denied the request: password=[redacted:');
    expect(detail).not.toContain('hunter2');
    expect(detail).not.toContain('\u202e');
    const right = {
      message: 'pods "cart" is forbidden: User "system:serviceaccount:firebreak:cell" cannot patch resource "pods"',
    };
    expect(of(403, right).detail).toBe(`the API server does not allow us to patch pods in shop (403): ${right.message}`);
    expect(of(403, { message: 'x'.repeat(5_000) }).detail.length).toBeLessThan(500);
  });

  test('about an unreachable webhook is quoted, and the call can be retried', () => {
    const down = { message: 'Internal error occurred: failed calling webhook "guard.acme.com": connection refused' };
    expect(of(500, down)).toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      retryable: true,
      detail: 'the API server could not patch pods in shop (500): failed calling webhook "guard.acme.com": connection refused',
    });
  });

  test('about its own validation names the fields, without the values that were written', () => {
    const invalid = {
      message: 'Deployment.apps "cart" is invalid: spec.template.annotations: Too long: s3cret',
      reason: 'Invalid',
      details: { causes: [{ reason: 'FieldValueTooLong', message: 'Too long: s3cret', field: 'spec.template.annotations' }] },
    };
    expect(of(422, invalid).detail).toBe(
      'the API server rejected: patch pods in shop (422 Invalid): spec.template.annotations is not valid (FieldValueTooLong)',
    );
    for (const said of ['<html>', '', '[]', '{"message":7,"reason":{},"details":{"causes":[null,7,{"field":3}]}}'])
      expect(of(422, said).detail).toBe('the API server rejected: patch pods in shop (422 )');
  });
});
