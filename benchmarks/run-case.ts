import { measure, type Sample } from './measure.js';

/** Who does the work of a case, and how. */
export interface Contestant {
  readonly name: string;
  /** For bash. Every process of it counts. */
  readonly command: string;
  /** Brings everything to where this contestant starts. Not measured. */
  readonly before?: () => Promise<unknown>;
  /** Looks at what the run left. Not measured. */
  readonly after?: () => Promise<unknown>;
  /** A folder whose growth is watched during the run. */
  readonly watched?: string;
}

/** One piece of work that several do. */
export interface Case {
  readonly title: string;
  /** What Lading is to reach, in words. */
  readonly figure: string;
  /** Bytes that are moved, for the rate; nothing where only the time counts. */
  readonly bytes?: number;
  /** Rounds to run at least, whatever was asked for. */
  readonly minRounds?: number;
  /** The one that is measured, then the yardstick that all are held against, then others for comparison. */
  readonly contestants: readonly Contestant[];
  /** Tells, after the last round, what the samples do not. */
  readonly facts?: () => readonly string[];
}

/** How one contestant did, round by round. */
export interface Performance {
  readonly name: string;
  readonly samples: readonly Sample[];
  /** The yardstick's wall time over this one's, in each round; empty where there is no yardstick. */
  readonly ratios: readonly number[];
}

/** A case that was run. */
export interface Outcome extends Pick<Case, 'title' | 'figure' | 'bytes'> {
  readonly name: string;
  readonly performances: readonly Performance[];
  readonly facts: readonly string[];
}

/** Runs a case: each contestant once in every round, so that a machine that gets slower does so for all of them. */
export async function runCase(name: string, one: Case, rounds: number): Promise<Outcome> {
  const { contestants, facts, minRounds = 1, ...about } = one;
  const samples = contestants.map((): Sample[] => []);
  for (let round = 0; round < Math.max(rounds, minRounds); round += 1) {
    for (const [at, contestant] of contestants.entries()) samples[at]?.push(await runOnce(contestant));
  }
  const performances = contestants.map(({ name }, at) => ({
    name,
    samples: samples[at] ?? [],
    ratios: ratiosOf(samples[at] ?? [], samples[1] ?? []),
  }));
  return { name, ...about, performances, facts: facts?.() ?? [] };
}

async function runOnce({ command, before, after, watched }: Contestant): Promise<Sample> {
  await before?.();
  const sample = await measure(command, watched);
  await after?.();
  return sample;
}

function ratiosOf(samples: readonly Sample[], yardstick: readonly Sample[]): readonly number[] {
  return yardstick.map(({ wallMs }, round) => wallMs / (samples[round]?.wallMs ?? Number.NaN));
}
