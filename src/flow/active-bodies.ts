import { ByteMeter } from '../model/byte-meter.js';
import type { Digest } from '../model/digest.js';

/** A body on its way: the name of its entry, its digest if that is promised, and how many of its bytes have passed. */
export interface ActiveBody {
  readonly name: string;
  readonly digest?: Digest | undefined;
  readonly size: number;
  readonly meter: ByteMeter;
}

/** The bodies that are on their way. Holds a record for each. */
export class ActiveBodies implements Iterable<ActiveBody> {
  readonly #bodies = new Set<ActiveBody>();

  enter({ name, size }: { readonly name: string; readonly size: number }, digest: Digest | undefined): ActiveBody {
    const body = { name, digest, size, meter: new ByteMeter() };
    this.#bodies.add(body);
    return body;
  }

  leave(body: ActiveBody): void {
    this.#bodies.delete(body);
  }

  [Symbol.iterator](): Iterator<ActiveBody> {
    return this.#bodies.values();
  }
}
