import type { WorkflowCreateOptions } from '@temporalio/worker/lib/workflow/interface.js';
import type { WorkflowBundleWithSourceMapAndFilename } from '@temporalio/worker/lib/workflow/workflow-worker-thread/input.js';

/** What a runner has to know before its first workflow. */
export interface RunnerBundle {
  readonly workflowBundle: WorkflowBundleWithSourceMapAndFilename;
  readonly isolateExecutionTimeoutMs: number;
  readonly registeredActivityNames: Set<string>;
}

/** Without its number: what the cell asks of a runner. */
export type RunnerOrder =
  | ({ readonly kind: 'init' } & RunnerBundle)
  | { readonly kind: 'create'; readonly options: WorkflowCreateOptions }
  | { readonly kind: 'activate'; readonly runId: string; readonly activation: Uint8Array }
  | { readonly kind: 'dispose'; readonly runId: string };

/** From the cell, in V8's own format. */
export type RunnerRequest = RunnerOrder & { readonly id: number };

/** From a runner, as JSON; a completion follows as bytes. */
export type RunnerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly id: number; readonly sinks?: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string };
