import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { StepContext } from '../../../core/action/action.ts';
import type { RotateSecretInput } from '../../../core/actions/secrets/rotate-secret.schema.ts';
import type { AwsOptions } from '../../../integrations/aws/client.ts';

/** Arguments of a rotation that runs in a separate process. */
export interface RotationOrder {
  readonly kubeconfig: string;
  readonly input: RotateSecretInput;
  readonly context: Pick<StepContext, 'key' | 'incident' | 'run'>;
  /** Provider of the Secret `db`. Absent: none. */
  readonly postgres?: { readonly url: string; readonly roles: readonly string[] };
  readonly vault?: { readonly address: string; readonly token: string };
  readonly vaultLease?: { readonly address: string; readonly token: string };
  readonly aws?: AwsOptions & { readonly user: string };
}

/**
 * Applies the rotation in one process after another. The first is killed (`kill -9`) before its first write, each following one right after its own first write
 * to the API server or the provider; the last finds nothing left to do. A newly created AWS key is lost only once.
 * @returns what each process died of
 */
export async function killedEverywhere({ context: { key, incident, run }, ...order }: RotationOrder): Promise<readonly string[]> {
  const argument = JSON.stringify({ ...order, context: { key, incident, run } });
  const deaths = [await oneProcess(argument, 'before')];
  for (;;) {
    const death = await oneProcess(argument, 'after', deaths);
    if (death === undefined) return deaths.map((one) => one ?? 'nothing');
    deaths.push(death);
    if (deaths.length > 20) throw new Error(`it never ends: ${deaths.join(', ')}`);
  }
}

/** Returns the point at which it was killed; undefined if it completed. */
function oneProcess(argument: string, moment: string, deaths: readonly (string | undefined)[] = []): Promise<string | undefined> {
  const program = join(import.meta.dirname, 'dying-rotation.ts');
  const args = ['--disable-warning=ExperimentalWarning', program, argument, moment, JSON.stringify(deaths)];
  const child = spawn(process.execPath, args);
  let [said, failed] = ['', ''];
  child.stdout.on('data', (text: Buffer) => {
    said += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    failed += text.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve(said);
      else if (code === 0) resolve(undefined);
      else reject(new Error(failed));
    });
  });
}
