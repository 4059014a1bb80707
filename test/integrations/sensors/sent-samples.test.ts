import { describe, expect, test } from '@jest/globals';
import { sampleAbout, samplePayloads, testMark } from '../../../integrations/sensors/samples.ts';
import { alertOf } from './read.ts';

const now = new Date('2026-11-27T12:00:00.000Z');
const uid = 'b1f0c0de-6c6f-4c39-9a5a-3a1b1f6f2d11';
const container = { name: 'payer', image: 'registry.example/pay/payer:2.0', id: '00aa11bb22cc33dd44ee55ff' };
const pod = { namespace: 'pay', name: 'payer-7d9f8c6b5-abcde', uid, node: 'worker-7', container };

describe('a sample that is sent', () => {
  test.each(samplePayloads().map((sample) => [`${sample.sensor}: ${alertOf(sample.payload as object).rule}`, sample] as const))(
    '%s is about the named pod, now, and contains nothing of another',
    (_, sample) => {
      const sent = sampleAbout(sample, pod, now) as object;
      const alert = alertOf(sent, { sensor: sample.sensor });
      expect(alert.pod).toMatchObject({ namespace: 'pay', name: pod.name });
      expect(Date.parse(alert.time)).toBe(now.getTime());
      expect(alert.rule).toBe(alertOf(sample.payload as object, { sensor: sample.sensor }).rule);
      expect(JSON.stringify(sent)).not.toMatch(/shop|cart-5d4c9b7f6|1f0f6b0e/);
      expect(JSON.stringify(sent)).toContain(testMark);
    },
  );

  test.each(['falco', 'tetragon', 'tracee'])('of %s has the uid and the container of the pod when they are known', (sensor) => {
    const sample = samplePayloads().find((one) => one.sensor === sensor);
    if (!sample) throw new Error(`no sample of ${sensor}`);
    expect(alertOf(sampleAbout(sample, pod, now) as object)).toMatchObject({ pod: { uid }, container: { name: 'payer' } });
    const unknown = alertOf(sampleAbout(sample, { namespace: 'pay', name: 'payer-1' }, now) as object);
    expect(unknown.pod).toEqual({ namespace: 'pay', name: 'payer-1' });
    expect(unknown.container).toBeUndefined();
  });
});
