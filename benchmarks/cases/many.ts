import path from 'node:path';
import { OciLayoutStore } from '../../src/index.js';
import { IMAGE } from '../fixture.js';
import { fillStore } from '../many-images.js';
import { quoted, type Sample } from '../measure.js';
import type { Case, Contestant, Performance } from '../run-case.js';
import { manyPlatforms } from '../shapes.js';
import { planning, Stand } from '../stand.js';
import { medianOf } from '../statistics.js';
import { freshFolder } from '../workspace.js';

const MANY = 1000;

/** Lists an empty store: the time it takes to start. */
export async function imagesOfNone(stand: Stand): Promise<Case> {
  const store = await emptyStore(stand);
  return {
    title: 'images, of an empty store',
    contestants: [
      { name: 'lading', command: stand.plainLading('images', '--store', store) },
      { name: 'node -e 0', command: quoted(process.execPath, '-e', '0') },
    ],
  };
}

/** Lists many images, and none for comparison: what each image costs. */
export async function imagesOfMany(stand: Stand): Promise<Case> {
  const store = await freshFolder(path.join(stand.ground.workspace.folder, 'many-images'));
  await fillStore(store, MANY);
  const none = await emptyStore(stand);
  const images = (name: string, of: string): Contestant => ({ name, command: stand.lading('images', '--store', of) });
  return {
    title: `images, of ${MANY} with 2 platforms each`,
    contestants: [images('lading', store), images('lading, no image', none)],
    facts: (performances) => [extraOf(performances)],
  };
}

/** Plans the export of an image with many platforms through the library, and with one platform for comparison. */
export async function planOfMany({ ground }: Stand): Promise<Case> {
  const many = await Stand.build(ground, 'many-platforms', manyPlatforms(MANY));
  const one = await Stand.build(ground, 'one-platform', manyPlatforms(1));
  return {
    title: `plan an image of ${MANY} platforms`,
    contestants: [planner('lading', many), planner('lading, 1 platform', one)],
    facts: (performances) => [extraOf(performances)],
    finish: () => Promise.all([many.remove(), one.remove()]),
  };
}

function planner(name: string, stand: Stand): Contestant {
  return { name, command: `${planning(stand.store, IMAGE)} >/dev/null`, before: () => stand.fill() };
}

async function emptyStore({ ground }: Stand): Promise<string> {
  const store = path.join(ground.workspace.folder, 'no-image');
  await OciLayoutStore.open(store);
  return store;
}

/** How much more memory and time the first took than the second, by their medians. */
function extraOf([first, second]: readonly Performance[]): string {
  const extra = (valueOf: (sample: Sample) => number): number => middle(first, valueOf) - middle(second, valueOf);
  const bytes = extra(({ peakRssBytes }) => peakRssBytes ?? Number.NaN);
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB and ${extra(({ wallMs }) => wallMs).toFixed(0)} ms more than the second`;
}

function middle(performance: Performance | undefined, valueOf: (sample: Sample) => number): number {
  return medianOf((performance?.samples ?? []).map(valueOf));
}
