import type { StepContext } from '../../../core/action/action.ts';
import type { RotateSecretInput, RotateSecretOutput } from '../../../core/actions/secrets/rotate-secret.schema.ts';
import type { SecretRotation } from './rotation.ts';

export type Rotated = RotateSecretOutput['rotated'][number];

/** One way to give a Secret a new value. Each call may be repeated after a crash. */
export interface Rotator {
  /** Whether this very step has begun to change something. */
  started(rotation: SecretRotation, context: StepContext): Promise<boolean>;
  /** Proceeds until the new value is ready to be rolled out. */
  begin(rotation: SecretRotation, input: RotateSecretInput, context: StepContext): Promise<void>;
  /** Called when everything has rolled out: ends the old value. Nothing is revoked before the new value has been tried. */
  finish(rotation: SecretRotation, context: StepContext): Promise<Pick<Rotated, 'validUntil'>>;
  /** Describes what cannot be shown; undefined if all is as it should be. @throws FB_ERR_DRIFTED if it is not. */
  open(rotated: Rotated, namespace: string, context: StepContext): Promise<string | undefined>;
}
