import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditReport, describeReport } from '../../core/audit/audit-report.ts';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import { auditReport } from '../../service/commands/records/audit.ts';
import type { Claim } from './facts.ts';
import { durationText, type Stage, type StageTime } from './stage.ts';

const coveredWithinMs = 120_000;

/** Shows for each claim whether the API server agrees. */
export function showClaims({
  title,
  claims,
  stage,
}: {
  readonly title: string;
  readonly claims: readonly Claim[];
  readonly stage: Stage;
}): void {
  stage.heading(title);
  for (const { ok, text, difference } of claims) stage.claim(ok, ok ? text : `${text}: NO, ${difference}`);
}

export function showTimeline(state: IncidentState, stage: Stage): void {
  stage.heading('Timeline');
  for (const { at, kind, text, actor } of state.timeline)
    stage.line(
      `  ${stage.style('dim', at.slice(11, 23))}  ${kind.padEnd(20)}  ${plain(text)}  ${stage.style('dim', plain(actor))}`,
    );
}

/** Checks the audit store as `firebreak audit verify` does; waits until a signed checkpoint covers every record. */
export async function proveRecords({ config, stage }: { readonly config: string; readonly stage: Stage }): Promise<AuditReport> {
  stage.waiting('waiting for the checkpoint that covers the last records');
  const deadline = Date.now() + coveredWithinMs;
  let report = await auditReport({ config });
  while (report.ok && report.notCovered.length > 0 && Date.now() < deadline) {
    await sleep(500);
    report = await auditReport({ config });
  }
  stage.heading('Records');
  for (const line of describeReport(report)) stage.claim(report.ok, line);
  return report;
}

export function showTimes(times: readonly StageTime[], stage: Stage): void {
  stage.heading('How long it took, from the alert’s POST unless noted otherwise');
  const width = Math.max(...times.map(({ stage: name }) => name.length));
  for (const { stage: name, ms } of times) stage.line(`  ${name.padEnd(width)}  ${durationText(ms).padStart(9)}`);
}

function plain(text: string): string {
  return text.length > 160 ? `${text.slice(0, 159)}…` : text;
}
