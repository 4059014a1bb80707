import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { modelOf, openModelOf, predicted, predictedOf, predictedOpen, workerModelOf } from '../../bench/parts/scale/model.ts';
import {
  readMemoryPoints,
  readOpenPoints,
  readScalePoints,
  readWorkerPoints,
  withScalingTables,
} from '../../bench/parts/scale/tables.ts';
import { projectRoot } from '../../service/process/project-root.ts';

const { incidents } = readScalePoints();
const memory = readMemoryPoints();
const model = modelOf(incidents, memory);
const offBy = (said: number, measured: number): number => Math.abs(said - measured) / measured;
const most = 0.25;

describe('the capacity model, compared with the last runs of bench/scale and bench/memory', () => {
  test.each(incidents)('predicts the cost of $open open incidents to within a quarter', (measured) => {
    const said = predicted(model, measured.open);
    const off = Object.entries(said).map(([name, value]) => [name, offBy(value, measured[name as keyof typeof said])] as const);
    expect(off.filter(([, share]) => share > most)).toEqual([]);
  });

  test.each(memory)('predicts the memory of %d open incidents to within a quarter', (open, mb) => {
    expect(offBy(predicted(model, open).firebreakMb, mb)).toBeLessThanOrEqual(most);
  });

  test.each(readOpenPoints())('predicts the cost of $open idle open incidents to within a quarter', (measured) => {
    const said = predictedOpen(openModelOf(readOpenPoints()), measured.open);
    const off = Object.entries(said).map(([name, value]) => [name, offBy(value, measured[name as keyof typeof said])] as const);
    expect(off.filter(([, share]) => share > most)).toEqual([]);
  });

  test('predicts the cost of several replicas and their PostgreSQL records to within a quarter, once measured', () => {
    const points = readWorkerPoints();
    const off = points.flatMap((measured) =>
      Object.entries(predictedOf(workerModelOf(points), measured)).map(
        ([name, value]) => [measured.workers, name, offBy(value, measured[name as keyof typeof measured])] as const,
      ),
    );
    expect(off.filter(([, , share]) => share > most)).toEqual([]);
  });

  test('is the source of the tables in docs/scaling.md', () => {
    const page = readFileSync(join(projectRoot(), 'docs', 'scaling.md'), 'utf8');
    expect(page).toBe(withScalingTables(page));
  });
});
