import type { TransformOptions } from 'node:stream';
import { LadingError } from '../model/errors.js';

/**
 * For a stage that takes bytes. A stream in object mode before it may bring anything; without object mode here Node throws
 * where nobody can catch it, and the process ends. The stage itself refuses what is no bytes. Holds two chunks.
 */
export const TAKING_ANYTHING: TransformOptions = { writableObjectMode: true, writableHighWaterMark: 2 };

/** The error for a chunk that is no bytes. */
export function noBytes(chunk: unknown): LadingError {
  const message = `a stream of bytes brought a chunk that is ${typeof chunk === 'string' ? 'text' : 'no bytes'}`;
  return new LadingError('ERR_OPTION_INVALID', message, { details: { option: 'chunk' } });
}
