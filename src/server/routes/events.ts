import { PassThrough } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { ServerContext } from '../context.js';
import { EVENT_FILTERS, eventFilter, type EngineEvent } from '../event-log.js';
import { parseFilters } from '../filters.js';
import { EVENTS_SCHEMA } from '../schemas.js';
import { parseTime } from '../times.js';

interface EventsRoute {
  readonly Querystring: { readonly since?: string; readonly until?: string; readonly filters?: string };
}

/** Events that one reader may leave unread, in bytes; beyond it the connection ends. */
const MAX_UNREAD_BYTES = 1024 * 1024;

/** `GET /events`: past events from `since` on, then those to come, until `until`. */
export function eventsRoute(app: FastifyInstance, context: ServerContext): void {
  app.get<EventsRoute>('/events', { schema: EVENTS_SCHEMA, exposeHeadRoute: false }, async (request, reply) => {
    const isWanted = eventFilter(parseFilters(request.query.filters, EVENT_FILTERS));
    const { since, until } = request.query;
    const now = context.now();
    const sinceMs = since ? parseTime(since, now) : Number.POSITIVE_INFINITY;
    const untilMs = until ? parseTime(until, now) : Number.POSITIVE_INFINITY;
    const format = formatFor(request.minor, request.headers.accept ?? '');
    const lines = new PassThrough();
    const unread = (): number => lines.writableLength + lines.readableLength + reply.raw.writableLength;
    const forget = context.unreadEvents.add({ unread, cut: () => lines.destroy() });
    lines.once('close', forget);
    const send = (event: EngineEvent): void => {
      if (!isWanted(event) || event.timeNano > untilMs * NANOS || lines.destroyed) return;
      const line = format.line(event);
      lines.write(line);
      if (unread() > MAX_UNREAD_BYTES) lines.destroy();
      context.unreadEvents.wrote(line.length);
    };
    void reply.type(format.type).send(lines);
    // The client waits for the headers, also if no event happens.
    reply.raw.flushHeaders();
    context.events.since(sinceMs).forEach(send);
    if (untilMs <= now) lines.end();
    else follow(context, lines, send, untilMs - now);
    return reply;
  });
}

const NANOS = 1_000_000;

/** The longest time that setTimeout takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Sends events until the reader goes away, the time is over or the server stops. */
function follow(
  { events, stopping }: ServerContext,
  lines: PassThrough,
  send: (event: EngineEvent) => void,
  forMs: number,
): void {
  const end = (): void => {
    stopListening();
    lines.end();
  };
  const timer = forMs > MAX_TIMER_MS ? undefined : setTimeout(end, forMs);
  const stopListening = events.listen(send);
  stopping.addEventListener('abort', end, { once: true });
  lines.once('close', () => {
    clearTimeout(timer);
    stopListening();
    stopping.removeEventListener('abort', end);
  });
}

interface EventFormat {
  readonly type: string;
  readonly line: (event: EngineEvent) => string;
}

/** From API 1.52 the format that the client accepts; before, JSON objects in a row, with the old fields too. */
function formatFor(minor: number, accept: string): EventFormat {
  if (minor < 52)
    return { type: 'application/json', line: (event) => `${JSON.stringify({ ...oldFields(event), ...event })}\n` };
  if (accept.includes('application/json-seq')) {
    return { type: 'application/json-seq', line: (event) => `\u001e${JSON.stringify(event)}\n` };
  }
  const isNdjson = accept.includes('application/x-ndjson');
  return {
    type: isNdjson ? 'application/x-ndjson' : 'application/jsonl',
    line: (event) => `${JSON.stringify(event)}\n`,
  };
}

function oldFields({ Action, Actor }: EngineEvent): object {
  return { status: Action, id: Actor.ID, from: Actor.Attributes['name'] ?? '' };
}
