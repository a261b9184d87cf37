import type { Scene, Template } from './scene.js';

/** A command that changes a store, and that faults interrupt. */
export interface Operation {
  readonly title: string;
  readonly template: Template;
  /** The arguments, without `--store`. `'<', FILE`: the file comes through a pipe. */
  readonly args: (scene: Scene) => readonly string[];
  /** Exit statuses allowed when the command runs again after a fault at any point. */
  readonly again: readonly number[];
  /** True if the command leaves an image with only some of its platforms. */
  readonly isPartial?: boolean;
}

const DONE = [0];
/** Status 4: the interrupted command had already removed the image or the platform. */
const DONE_BEFORE = [0, 4];

/** The commands that change a store. */
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
  {
    title: 'load from a pipe',
    template: 'base',
    args: ({ at }) => ['load', '<', at('new.tar')],
    again: DONE,
  },
  {
    title: 'load from a pipe with its metadata last',
    template: 'base',
    args: ({ at }) => ['load', '<', at('late.tar')],
    again: DONE,
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
