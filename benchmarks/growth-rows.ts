import type { Sample } from './measure.js';
import { largest, medianOf } from './statistics.js';

/** What is measured of each step. */
export type Work = 'load' | 'save' | 'plan';

/** Median seconds and the most memory of all rounds. */
export interface Result {
  readonly seconds: number;
  readonly rssMib: number;
}

/** What one step of a series took: an image, or a number of clients. */
export interface GrowthRow {
  readonly series: string;
  readonly what: string;
  readonly results: Readonly<Partial<Record<Work, Result>>>;
}

const MIB = 1024 * 1024;

/** The median time and the most memory of all rounds. */
export function resultOf(samples: readonly Pick<Sample, 'wallMs' | 'peakRssBytes'>[]): Result {
  const bytes = largest(samples.map(({ peakRssBytes = Number.NaN }) => peakRssBytes)) ?? Number.NaN;
  return { seconds: medianOf(samples.map(({ wallMs }) => wallMs / 1000)), rssMib: bytes / MIB };
}
