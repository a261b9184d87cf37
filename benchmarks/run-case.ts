import { measure, type Sample } from './measure.js';
import { medianOf } from './statistics.js';

/** Who does the work of a case, and how. */
export interface Contestant {
  readonly name: string;
  /** For bash. Every process of it counts. */
  readonly command: string;
  /** How many times as fast as this one Lading is to be. */
  readonly goal?: number;
  /** Tells why this one cannot take part here, if it cannot. Asked once, before the first round. */
  readonly whyMissing?: () => Promise<string | undefined>;
  /** Brings everything to where this contestant starts. Not measured. */
  readonly before?: () => Promise<unknown>;
  /** Tidies up. Not measured. */
  readonly after?: () => Promise<unknown>;
  /** Throws when wrong bytes were written. Done after the last run, before `after`. */
  readonly check?: (samples: readonly Sample[]) => Promise<void>;
  /** A folder whose growth is watched during the run. */
  readonly watched?: string;
  /** The id of a process that does the work. Asked for each run, when `before` is done. */
  readonly daemon?: () => number | undefined;
}

/** One piece of work that several do. */
export interface Case {
  readonly title: string;
  /** Bytes that are moved, for the rate; nothing where only the time counts. */
  readonly bytes?: number;
  /** Whether folders are watched: to look at many files again and again takes a core from whoever writes them. Default yes. */
  readonly isWatched?: boolean;
  /** What Lading's process may take of memory. */
  readonly maxRssBytes?: number;
  /** The one that is measured, then the yardstick, then others for comparison. */
  readonly contestants: readonly [Contestant, ...Contestant[]];
  /** What else was promised and checked, or what the samples do not tell alone. */
  readonly facts?: (performances: readonly Performance[]) => readonly string[];
  /** Tidies up after the last round. */
  readonly finish?: () => Promise<unknown>;
}

/** How one contestant did, round by round. */
export interface Performance extends Pick<Contestant, 'name' | 'goal'> {
  readonly samples: readonly Sample[];
  /** This one's median wall time over Lading's: how many times as fast Lading is. */
  readonly ratio: number;
  /** The same, round by round. */
  readonly ratios: readonly number[];
}

/** A case that was run. */
export interface Outcome extends Pick<Case, 'title' | 'bytes' | 'maxRssBytes'> {
  readonly name: string;
  readonly performances: readonly Performance[];
  readonly facts: readonly string[];
}

/** Runs a case: each contestant once in every round, so that a machine that gets slower does so for all of them. */
export async function runCase(name: string, one: Case, rounds: number): Promise<Outcome> {
  const { contestants, isWatched = true, facts, finish, ...about } = one;
  try {
    const { present, missing } = await muster(isWatched ? contestants : contestants.map(unwatched));
    const samples = present.map((): Sample[] => []);
    for (let round = 1; round <= rounds; round += 1) {
      for (const [at, contestant] of present.entries()) await runOnce(contestant, samples[at] ?? [], round === rounds);
    }
    const performances = present.map((contestant, at) =>
      performanceOf(contestant, samples[at] ?? [], samples[0] ?? []),
    );
    return { name, ...about, performances, facts: [...(facts?.(performances) ?? []), ...missing] };
  } finally {
    await finish?.();
  }
}

function unwatched(contestant: Contestant): Contestant {
  const { watched, ...rest } = contestant;
  return watched === undefined ? contestant : rest;
}

interface Muster {
  readonly present: readonly Contestant[];
  readonly missing: readonly string[];
}

async function muster(contestants: readonly Contestant[]): Promise<Muster> {
  const [present, missing]: [Contestant[], string[]] = [[], []];
  for (const contestant of contestants) {
    const reason = await contestant.whyMissing?.();
    if (reason === undefined) present.push(contestant);
    else missing.push(`without ${contestant.name}: ${reason}`);
  }
  return { present, missing };
}

async function runOnce(contestant: Contestant, samples: Sample[], isLast: boolean): Promise<void> {
  const { command, before, after, check, watched, daemon } = contestant;
  await before?.();
  const pid = daemon?.();
  samples.push(
    await measure(command, {
      ...(watched !== undefined && { folder: watched }),
      ...(pid !== undefined && { daemon: pid }),
    }),
  );
  if (isLast) await check?.(samples);
  await after?.();
}

function performanceOf(
  { name, goal }: Contestant,
  samples: readonly Sample[],
  subject: readonly Sample[],
): Performance {
  return {
    name,
    ...(goal !== undefined && { goal }),
    samples,
    ratio: medianOf(samples.map(({ wallMs }) => wallMs)) / medianOf(subject.map(({ wallMs }) => wallMs)),
    ratios: samples.map(({ wallMs }, round) => wallMs / (subject[round]?.wallMs ?? Number.NaN)),
  };
}
