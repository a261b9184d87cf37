import type { Scene, Template } from './scene.js';

/** A command that changes a store, for faults to interrupt. */
export interface Operation {
  readonly title: string;
  readonly template: Template;
  /** Without `--store`. */
  readonly args: (scene: Scene) => readonly string[];
  /** Exit statuses of doing it once more, after it was interrupted anywhere. */
  readonly again: readonly number[];
  /** It leaves an image that has only some of its platforms. */
  readonly isPartial?: boolean;
}

const DONE = [0];
/** The image or the platform is gone already. */
const DONE_BEFORE = [0, 4];

/** The commands that write. */
export const OPERATIONS: readonly Operation[] = [
  { title: 'load into no store', template: 'none', args: ({ at }) => ['load', '-i', at('new.tar')], again: DONE },
  { title: 'load over images', template: 'base', args: ({ at }) => ['load', '-i', at('new.tar')], again: DONE },
  {
    title: 'load with its metadata last',
    template: 'base',
    args: ({ at }) => ['load', '-i', at('late.tar')],
    again: DONE,
  },
  {
    title: 'load of one platform',
    template: 'base',
    args: ({ at }) => ['load', '--platform', 'linux/amd64', '-i', at('new.tar')],
    again: DONE,
    isPartial: true,
  },
  { title: 'rm', template: 'full', args: () => ['rm', 'example/other:1', 'example/extra:1'], again: DONE_BEFORE },
  {
    title: 'rm of a platform',
    template: 'full',
    args: () => ['rm', '--platform', 'linux/arm64', 'example/app:1'],
    again: DONE_BEFORE,
    isPartial: true,
  },
  { title: 'tag', template: 'base', args: () => ['tag', 'example/app:1', 'example/app:2'], again: DONE },
  { title: 'prune', template: 'full', args: () => ['prune', '--grace', '0'], again: DONE },
];

/** The command line of an operation on a store. */
export function commandLine(operation: Operation, scene: Scene, store: string): readonly string[] {
  return [...operation.args(scene), '--store', store];
}
