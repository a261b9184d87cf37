import type { Digest } from '../model/digest.js';
import { newestFirst, type VersionForm } from '../registry/tag-rules.js';

/** Which tags stay: those that one of the two keeps. */
export interface RetentionRule {
  /** So many with the highest versions, and all that are no versions. */
  readonly latest?: number;
  /** Those that were wanted in the last days, so many of 24 hours. */
  readonly days?: number;
}

/** A tag that a sync has written: with which image, and when it was last wanted. */
export interface WrittenTag {
  readonly tag: string;
  readonly digest: Digest;
  /** In milliseconds since 1970; undefined if it is not known. */
  readonly lastWantedMs: number | undefined;
}

/** A tag that no rule keeps. */
export interface ExpiredTag extends WrittenTag {
  /** Why it goes, for people. */
  readonly reason: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** What the rule is applied to. */
export interface RetentionCase {
  /** All tags that a sync has written and not removed. */
  readonly written: readonly WrittenTag[];
  /** Tags that it wants now: they stay, whatever the rule says. */
  readonly wanted: readonly string[];
  readonly rule: RetentionRule;
  readonly form: VersionForm;
  readonly nowMs: number;
}

/** The tags that go: first those that are no versions, then the lowest versions. */
export function expiredTags({ written, wanted, rule, form, nowMs }: RetentionCase): readonly ExpiredTag[] {
  const { latest, days } = rule;
  if (latest === undefined && days === undefined) return [];
  const current = new Set(wanted);
  const versions = newestFirst([...new Set([...wanted, ...written.map(({ tag }) => tag)])], form);
  const old = new Set(versions.slice(latest));
  const isOld = (tag: string): boolean => latest === undefined || old.has(tag);
  const isStale = ({ lastWantedMs = nowMs }: WrittenTag): boolean =>
    days === undefined || nowMs - lastWantedMs > days * DAY_MS;
  const rank = new Map(versions.map((tag, at) => [tag, versions.length - at]));
  const rankOf = ({ tag }: WrittenTag): number => rank.get(tag) ?? 0;
  const reasons = [
    ...(latest === undefined ? [] : [`not among the ${latest} highest versions`]),
    ...(days === undefined ? [] : [`not wanted for more than ${days} days`]),
  ];
  return written
    .filter((one) => !current.has(one.tag) && isOld(one.tag) && isStale(one))
    .toSorted((a, b) => rankOf(a) - rankOf(b) || (a.tag < b.tag ? -1 : 1))
    .map((one) => ({ ...one, reason: `not wanted now, ${reasons.join(', ')}` }));
}
