import { createRequire } from 'node:module';
import { platform } from 'node:os';
import { getSystemErrorName } from 'node:util';

/** The functions of the C library, as far as the optional package koffi gives them. */
export interface Native {
  /** A function by its prototype in C. Throws if the library does not have it. */
  readonly declare: (prototype: string) => NativeCall;
  /** What a call returned. Throws an error with the `code`, `errno` and `syscall` of Node's own calls for -1. */
  readonly checked: (syscall: string, result: number | bigint) => number;
}

type NativeCall = (...values: readonly unknown[]) => number | bigint;

/** What we use of koffi. Its own types would be needed to compile without it. */
interface Koffi {
  load(library: null): { func(prototype: string): NativeCall };
  errno(): number;
}

let opened: { readonly native: Native | undefined } | undefined;

/**
 * The functions of the C library, or undefined where they are not to be had: on another system than Linux, without koffi,
 * and with `LADING_NATIVE=off` in the environment. Loads the package once, which takes some milliseconds.
 */
export function openNative(): Native | undefined {
  opened ??= { native: isWanted() ? open() : undefined };
  return opened.native;
}

/** A user whose system does not get along with the calls can do without them, in every program that uses the library. */
function isWanted(): boolean {
  return platform() === 'linux' && process.env['LADING_NATIVE'] !== 'off';
}

function open(): Native | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const library = koffi.load(null);
    return {
      declare: (prototype) => library.func(prototype),
      checked: (syscall, result) => {
        if (result < 0) throw systemError(syscall, koffi.errno());
        return Number(result);
      },
    };
  } catch {
    return undefined;
  }
}

function systemError(syscall: string, errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${code}, ${syscall}`), { code, errno: -errno, syscall });
}
