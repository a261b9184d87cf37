import { measure, type Sample } from './measure.js';
import { medianOf } from './statistics.js';

/** A program that does the work of a case, and how to run it. */
export interface Contestant {
  readonly name: string;
  /** A command line for bash. All of its processes are measured. */
  readonly command: string;
  /** The goal: how many times as fast as this one Lading should be. */
  readonly goal?: number;
  /** Returns the reason if this one cannot take part here. Called once, before the first round. */
  readonly whyMissing?: () => Promise<string | undefined>;
  /** Brings everything to where this contestant starts. Not measured. */
  readonly before?: () => Promise<unknown>;
  /** Tidies up. Not measured. */
  readonly after?: () => Promise<unknown>;
  /** Throws if wrong bytes were written. Called after the last run, before `after`. */
  readonly check?: (samples: readonly Sample[]) => Promise<void>;
  /** A folder whose growth is watched during the run. */
  readonly watched?: string;
  /** Returns the id of a daemon that does the work. Called for each run, after `before`. */
  readonly daemon?: () => number | undefined;
}

/** One piece of work that several contestants do. */
export interface Case {
  readonly title: string;
  /** Bytes that are moved, for the rate; undefined if only the time counts. */
  readonly bytes?: number;
  /** Whether to watch folders. With many files, the watch takes a core from the contestant. Default true. */
  readonly isWatched?: boolean;
  /** The most memory that Lading's process may take. */
  readonly maxRssBytes?: number;
  /** First Lading, then the yardstick, then others for comparison. */
  readonly contestants: readonly [Contestant, ...Contestant[]];
  /** What else was checked, or what the samples alone do not show. */
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

/** The results of a case. */
export interface Outcome extends Pick<Case, 'title' | 'bytes' | 'maxRssBytes'> {
  readonly name: string;
  readonly performances: readonly Performance[];
  readonly facts: readonly string[];
}

/** Runs a case: each contestant once in every round, so that a machine that slows down is slower for all. */
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
