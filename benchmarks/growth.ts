import { columnsOf } from './columns.js';
import { DISCARD } from './contestants.js';
import { IMAGE } from './fixture.js';
import { measureClients } from './growth-clients.js';
import { resultOf, type GrowthRow } from './growth-rows.js';
import { measure, type Sample } from './measure.js';
import { manyPlatforms, smallBlobs, wholeImage, type ImageShape } from './shapes.js';
import { planning, Stand, type Ground } from './stand.js';

/** One size of a series: its label, and the image to build. */
interface Step {
  readonly series: string;
  readonly what: string;
  readonly shape: ImageShape;
}

const MIB = 1024 * 1024;
const SIZES = [64, 256, 1024, 4096, 16_384];
const BLOBS = [1, 10, 100, 1000, 10_000];
const PLATFORM_COUNTS = [1, 10, 100, 1000];

/** The smallest size that a series ends with. */
const LEAST_BYTES = 1024 * MIB;

/** Measures load, save and plan for images that grow in one respect, up to the size asked for, then more and more clients. */
export async function measureGrowth(
  ground: Ground,
  options: { readonly bytes: number; readonly rounds: number; readonly onProgress: (progress: string) => void },
): Promise<readonly GrowthRow[]> {
  const rows: GrowthRow[] = [];
  for (const { series, what, shape } of stepsUpTo(options.bytes)) {
    options.onProgress(`measuring ${series} ${what}`);
    const stand = await Stand.build(ground, 'growth', shape);
    rows.push({ series, what, results: await measureStep(stand, options.rounds) });
    await stand.remove();
  }
  return [...rows, ...(await measureClients(ground.workspace.folder, options))];
}

/** The rows as a table. */
export function toGrowthText(rows: readonly GrowthRow[]): string {
  const head = ['', '', 'load ← file s', 'RSS MiB', 'save → pipe s', 'RSS MiB', 'plan s', 'RSS MiB'];
  const lines = rows.map(({ series, what, results: { load, save, plan } }) => [
    series,
    what,
    ...[load, save, plan].flatMap((one) => (one ? [one.seconds.toFixed(3), one.rssMib.toFixed(0)] : ['', ''])),
  ]);
  return `${columnsOf([head, ...lines]).join('\n')}\n`;
}

function stepsUpTo(bytes: number): readonly Step[] {
  const sizes = SIZES.filter((mib) => mib * MIB <= Math.max(bytes, LEAST_BYTES));
  return [
    ...sizes.map((mib) => ({ series: 'MiB', what: `${mib}`, shape: wholeImage(mib * MIB) })),
    ...BLOBS.map((count) => ({ series: 'blobs of 10 KiB', what: `${count}`, shape: smallBlobs(count) })),
    ...PLATFORM_COUNTS.map((count) => ({ series: 'platforms', what: `${count}`, shape: manyPlatforms(count) })),
  ];
}

async function measureStep(stand: Stand, rounds: number): Promise<GrowthRow['results']> {
  const { store, fixture } = stand;
  const [loads, saves, plans]: [Sample[], Sample[], Sample[]] = [[], [], []];
  for (let round = 0; round < rounds; round += 1) {
    await stand.clear();
    loads.push(await measure(stand.lading('load', '--store', store, '-i', fixture.archive)));
    saves.push(await measure(`${stand.lading('save', '--store', store, IMAGE)} | ${DISCARD}`));
    plans.push(await measure(`${planning(store, IMAGE)} >/dev/null`));
  }
  return { load: resultOf(loads), save: resultOf(saves), plan: resultOf(plans) };
}
