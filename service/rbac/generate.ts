import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { usualNamespace } from '../config/fields.ts';
import { projectRoot } from '../process/project-root.ts';
import { shippedActions } from './enabled.ts';
import { rbacManifests } from './manifests.ts';
import { networkManifest, networkPolicies } from './network-policies.ts';

/** Writes `deploy/rbac/*.yaml`, the rights of the shipped playbooks and what each role's pods may reach; with `--check` it writes nothing and fails where a file is not what the declarations make. */
const check = process.argv.includes('--check');
const folder = join(projectRoot(), 'deploy', 'rbac');
const textOf = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
};

mkdirSync(join(folder, 'opt-in'), { recursive: true });
const network = networkManifest(networkPolicies({ namespace: usualNamespace }).values());
const made = new Map([...rbacManifests({ actions: shippedActions(), namespace: usualNamespace }), ['network.yaml', network]]);
for (const [name, manifest] of made) {
  const file = join(folder, name);
  if (textOf(file) === manifest) continue;
  if (check) {
    process.stderr.write(`deploy/rbac/${name} is not what the declarations make: run node service/rbac/generate.ts\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, manifest);
    process.stdout.write(`wrote deploy/rbac/${name}\n`);
  }
}
