import type { Filters } from './filters.js';

/** What happened to an image, in the Engine's own words. */
export type EventAction = 'load' | 'save' | 'tag' | 'untag' | 'delete' | 'prune' | 'pull' | 'push';

/** One event as clients of API 1.52 read it. `time` in seconds, `timeNano` in nanoseconds since 1970. */
export interface EngineEvent {
  readonly Type: 'image';
  readonly Action: EventAction;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: 'local';
  readonly time: number;
  readonly timeNano: number;
}

/** How many events are kept for `since`, as in the Engine. */
const KEPT = 256;

/** The events of this server and their listeners. It sees nothing that other processes do. Holds 256 events. */
export class EventLog {
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  readonly #now: () => number;
  #kept: readonly EngineEvent[] = [];

  /** `now` in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Calls every listener. `id` is a digest, `attributes` are the facts of the event, such as `name`. */
  emit(action: EventAction, id: string, attributes: Readonly<Record<string, string>>): void {
    const now = this.#now();
    const event: EngineEvent = {
      Type: 'image',
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope: 'local',
      time: Math.floor(now / 1000),
      timeNano: now * 1_000_000,
    };
    this.#kept = [...this.#kept, event].slice(-KEPT);
    this.#listeners.forEach((listen) => listen(event));
  }

  /** The kept events from `sinceMs` on, oldest first. */
  since(sinceMs: number): readonly EngineEvent[] {
    return this.#kept.filter(({ timeNano }) => timeNano >= sinceMs * 1_000_000);
  }

  /** Calls back for every event from now on, until the returned function is called. */
  listen(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** The filters that `/events` knows. Those of other kinds of objects match nothing here. */
export const EVENT_FILTERS = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
] as const;

/** Returns a test: does an event pass the filters? It looks values up, and never compares them one by one. */
export function eventFilter(filters: Filters): (event: EngineEvent) => boolean {
  const wanted = [...filters]
    .filter(([, values]) => values.length > 0)
    .map(([key, values]) => [key, new Set(values)] as const);
  return (event) => wanted.every(([key, values]) => termsOf(event, key).some((term) => values.has(term)));
}

/** The values of a filter that an event passes. An image goes by its id, or by its name with or without tag. */
function termsOf({ Type, Action, Actor, scope }: EngineEvent, key: string): readonly string[] {
  const terms: Readonly<Record<string, readonly string[]>> = { type: [Type], event: [Action], scope: [scope] };
  if (key !== 'image') return terms[key] ?? [];
  const name = Actor.Attributes['name'] ?? '';
  return [Actor.ID, name, name.replace(/(?<!^sha\d+):[^:/]*$/, '')].filter((term) => term !== '');
}
