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

/** Whether an event passes the filters. */
export function eventMatches(event: EngineEvent, filters: Filters): boolean {
  const { Type, Action, Actor, scope } = event;
  const matches: Readonly<Record<string, (value: string) => boolean>> = {
    type: (value) => value === Type,
    event: (value) => value === Action,
    scope: (value) => value === scope,
    image: (value) => isImage(value, Actor),
  };
  return [...filters].every(([key, values]) => values.length === 0 || values.some((value) => matches[key]?.(value)));
}

/** Whether the value is the image's id, or its name with or without tag. */
function isImage(value: string, { ID, Attributes }: EngineEvent['Actor']): boolean {
  const name = Attributes['name'] ?? '';
  return value !== '' && [ID, name, name.replace(/(?<!^sha\d+):[^:/]*$/, '')].includes(value);
}
