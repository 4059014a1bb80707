import { describe, expect, test } from '@jest/globals';
import { Pressure } from '../../../service/intake/send/pressure.ts';

describe('pressure', () => {
  test('is high while senders wait, and no longer when they do not', () => {
    let now = 1_000;
    const pressure = new Pressure(() => now);
    expect(pressure.isHigh).toBe(false);
    pressure.took(3);
    for (let n = 0; n < 20; n += 1) pressure.took(60);
    expect(pressure.isHigh).toBe(true);
    now += 250;
    expect(pressure.isHigh).toBe(true);
    for (let n = 0; n < 20; n += 1) pressure.took(3);
    now += 250;
    pressure.took(3);
    expect(pressure.isHigh).toBe(false);
  });

  test('is over when nothing more arrives', () => {
    let now = 1_000;
    const pressure = new Pressure(() => now);
    pressure.took(5);
    pressure.took(500);
    expect(pressure.isHigh).toBe(true);
    now += 500;
    expect(pressure.isHigh).toBe(false);
  });

  test('is not caused by one write among many', () => {
    const pressure = new Pressure(() => 1_000);
    for (let n = 0; n < 50; n += 1) pressure.took(2);
    pressure.took(100);
    expect(pressure.isHigh).toBe(false);
  });

  test('is caused by one write in twenty: yielding when one in ten waits is too late', () => {
    const pressure = new Pressure(() => 1_000);
    for (let n = 0; n < 95; n += 1) pressure.took(2);
    for (let n = 0; n < 5; n += 1) pressure.took(100);
    expect(pressure.isHigh).toBe(true);
  });

  test('is not caused by writes of a few milliseconds, however quick others are', () => {
    const pressure = new Pressure(() => 1_000);
    pressure.took(1);
    for (let n = 0; n < 50; n += 1) pressure.took(10);
    expect(pressure.isHigh).toBe(false);
  });

  test('is not caused by a slow disk, but by waiting for it', () => {
    let now = 1_000;
    const pressure = new Pressure(() => now);
    for (let n = 0; n < 50; n += 1) pressure.took(40 + (n % 20));
    expect(pressure.isHigh).toBe(false);
    now += 500;
    for (let n = 0; n < 50; n += 1) pressure.took(150);
    expect(pressure.isHigh).toBe(true);
  });
});
