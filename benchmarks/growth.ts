import { columnsOf } from './columns.js';
import { DISCARD } from './contestants.js';
import { IMAGE } from './fixture.js';
import { measure, type Sample } from './measure.js';
import { manyPlatforms, smallBlobs, wholeImage, type ImageShape } from './shapes.js';
import { planning, Stand, type Ground } from './stand.js';
import { largest, medianOf } from './statistics.js';

/** One size of a series: its label, and the image to build. */
interface Step {
  readonly what: string;
  readonly shape: ImageShape;
}

const MIB = 1024 * 1024;
const SIZES = [64, 256, 1024];
const BLOBS = [10, 100, 1000, 10_000];
const PLATFORM_COUNTS = [1, 10, 100, 1000];

/** Measures load, save and plan for images that grow in one respect, up to the size asked for. Returns a table. */
export async function measureGrowth(
  ground: Ground,
  options: { readonly bytes: number; readonly rounds: number; readonly onProgress: (progress: string) => void },
): Promise<string> {
  const rows: string[][] = [['', 'load ← file s', 'RSS MiB', 'save → pipe s', 'RSS MiB', 'plan s', 'RSS MiB']];
  for (const { what, shape } of stepsUpTo(options.bytes)) {
    options.onProgress(`measuring ${what}`);
    const stand = await Stand.build(ground, 'growth', shape);
    rows.push([what, ...(await measureStep(stand, options.rounds))]);
    await stand.remove();
  }
  return `${columnsOf(rows).join('\n')}\n`;
}

function stepsUpTo(bytes: number): readonly Step[] {
  const sizes = [...SIZES, ...(bytes > 1024 * MIB ? [bytes / MIB] : [])];
  return [
    ...sizes.map((mib) => ({ what: `${mib} MiB`, shape: wholeImage(mib * MIB) })),
    ...BLOBS.map((count) => ({ what: `${count} blobs of 10 KiB`, shape: smallBlobs(count) })),
    ...PLATFORM_COUNTS.map((count) => ({ what: `${count} platforms`, shape: manyPlatforms(count) })),
  ];
}

async function measureStep(stand: Stand, rounds: number): Promise<readonly string[]> {
  const { store, fixture } = stand;
  const [loads, saves, plans]: [Sample[], Sample[], Sample[]] = [[], [], []];
  for (let round = 0; round < rounds; round += 1) {
    await stand.clear();
    loads.push(await measure(stand.lading('load', '--store', store, '-i', fixture.archive)));
    saves.push(await measure(`${stand.lading('save', '--store', store, IMAGE)} | ${DISCARD}`));
    plans.push(await measure(`${planning(store, IMAGE)} >/dev/null`));
  }
  return [loads, saves, plans].flatMap(cellsOf);
}

function cellsOf(samples: readonly Sample[]): readonly string[] {
  const seconds = medianOf(samples.map(({ wallMs }) => wallMs / 1000));
  const bytes = largest(samples.map(({ peakRssBytes = Number.NaN }) => peakRssBytes)) ?? Number.NaN;
  return [seconds.toFixed(3), (bytes / MIB).toFixed(0)];
}
