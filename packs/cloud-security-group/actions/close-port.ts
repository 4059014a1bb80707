import { data, defineAction } from 'firebreak/actions';

/** Removes every rule of a security group that lets the internet in through one port. */
export const closePort = defineAction({
  name: 'closePort',
  title: 'Close a port of a cloud security group to the internet',
  effect: 'reversible',
  // Every instance behind the group loses the port.
  reach: 'workload',
  input: {
    group: data.text('Id of the security group', { longest: 100 }),
    port: data.number('The port', { min: 1, max: 65_535 }),
    pod: data.pod('The pod that the alert is about'),
  },
  output: { removed: data.number('Rules that were removed') },
  implementation: 'close-port.ts',
  secrets: ['token'],
  settings: ['endpoint'],
  egress: ['settings.endpoint'],
  requires: ['pod'],
  verifiedBy: 'The group is read back: no rule opens the port to the internet.',
  undo: 'Restores exactly the rules that were removed. If somebody has opened the port since, nothing is changed.',
  example: {
    group: 'sg-0a1b2c',
    port: 8080,
    pod: { namespace: 'shop', name: 'cart-5d4c9b7f6-x2x7k', uid: '1f0f6b0e-6c6f-4c39-9a5a-3a1b1f6f2d11' },
  },
  sample: { removed: 1 },
});
