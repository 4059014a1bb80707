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

describe('the capacity model, against what the last runs of bench/scale and bench/memory have measured', () => {
  test.each(incidents)('says within a quarter what $open open incidents take', (measured) => {
    const said = predicted(model, measured.open);
    const off = Object.entries(said).map(([name, value]) => [name, offBy(value, measured[name as keyof typeof said])] as const);
    expect(off.filter(([, share]) => share > most)).toEqual([]);
  });

  test.each(memory)('says within a quarter what memory %d open incidents take', (open, mb) => {
    expect(offBy(predicted(model, open).firebreakMb, mb)).toBeLessThanOrEqual(most);
  });

  test.each(readOpenPoints())('says within a quarter what $open open incidents take of which nothing is due', (measured) => {
    const said = predictedOpen(openModelOf(readOpenPoints()), measured.open);
    const off = Object.entries(said).map(([name, value]) => [name, offBy(value, measured[name as keyof typeof said])] as const);
    expect(off.filter(([, share]) => share > most)).toEqual([]);
  });

  test('says within a quarter what several replicas take, and their records in PostgreSQL, once it is measured', () => {
    const points = readWorkerPoints();
    const off = points.flatMap((measured) =>
      Object.entries(predictedOf(workerModelOf(points), measured)).map(
        ([name, value]) => [measured.workers, name, offBy(value, measured[name as keyof typeof measured])] as const,
      ),
    );
    expect(off.filter(([, , share]) => share > most)).toEqual([]);
  });

  test('is what docs/scaling.md has its tables from', () => {
    const page = readFileSync(join(projectRoot(), 'docs', 'scaling.md'), 'utf8');
    expect(page).toBe(withScalingTables(page));
  });
});
