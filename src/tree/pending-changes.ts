import type { Metadata, Special } from './nodes.js';

/** What becomes of a name: a file or special node, a directory with this metadata, or a link to this path. */
export type Change = number | Special | { readonly directory: Metadata } | { readonly link: string };

/** A part of the changes that wait, in columns. */
interface Block {
  readonly parents: string[];
  readonly names: string[];
  readonly changes: Change[];
}

const BLOCK_LENGTH = 4096;

/** Changes that wait for the end of their layer. In blocks, so that what was applied is dropped early. */
export class PendingChanges {
  #blocks: Block[] = [];
  length = 0;

  add(parent: string, name: string, change: Change): void {
    if (this.length % BLOCK_LENGTH === 0) this.#blocks.push({ parents: [], names: [], changes: [] });
    const last = this.#blocks.at(-1);
    last?.parents.push(parent);
    last?.names.push(name);
    last?.changes.push(change);
    this.length += 1;
  }

  /** The blocks in their order, each dropped when the next one is taken. */
  *blocks(): Generator<Block> {
    this.#blocks.reverse();
    for (let block = this.#blocks.pop(); block !== undefined; block = this.#blocks.pop()) yield block;
  }
}
