import type { StepContext } from '../../../core/action/action.ts';
import type { RotateSecretInput, RotateSecretOutput } from '../../../core/actions/secrets/rotate-secret.schema.ts';
import type { SecretRotation } from './rotation.ts';

export type Rotated = RotateSecretOutput['rotated'][number];

/** One way to give a Secret a new value. Each call may come again after a crash. */
export interface Rotator {
  /** Whether this very step has begun to change something. */
  started(rotation: SecretRotation, context: StepContext): Promise<boolean>;
  /** As far as that the new value is there to be rolled out. */
  begin(rotation: SecretRotation, input: RotateSecretInput, context: StepContext): Promise<void>;
  /** When everything has rolled: what the old value ends with. Nothing is revoked before the new value has been tried. */
  finish(rotation: SecretRotation, context: StepContext): Promise<Pick<Rotated, 'validUntil'>>;
  /** What cannot be shown, in words; undefined where all is as it should be. @throws FB_ERR_DRIFTED where it is not. */
  open(rotated: Rotated, namespace: string, context: StepContext): Promise<string | undefined>;
}
