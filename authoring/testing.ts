/** `firebreak/testing`: tries of playbooks without Temporal or a cluster. */
export { durationMs } from '../core/playbook/duration.ts';
