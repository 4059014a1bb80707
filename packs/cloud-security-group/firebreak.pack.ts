import { definePack } from 'firebreak/playbook';
import { closePort } from './actions/close-port.ts';
import { closeExposedPort } from './playbooks/close-exposed-port.ts';

export default definePack({
  name: 'cloud-security-group',
  version: '1.0.0',
  playbooks: [closeExposedPort],
  actions: [closePort],
});
