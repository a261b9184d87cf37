import { LadingError, type ErrorCode } from './errors.js';

/** An error in a message from a thread, where its class is lost. It was a LadingError if it has `details`. */
export interface ThreadError {
  readonly code: string;
  readonly message: string;
  /** The system call that failed, if one did. */
  readonly syscall?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The error as a message. */
export function threadErrorOf(error: NodeJS.ErrnoException): ThreadError {
  const { code = '', message, syscall } = error;
  return {
    code,
    message,
    ...(syscall !== undefined && { syscall }),
    ...(error instanceof LadingError && { details: error.details }),
  };
}

/** The error of a message: a LadingError again, or an error with its `code` and `syscall`. */
export function errorOfThread({ code, message, details, ...rest }: ThreadError): Error {
  if (details !== undefined) return new LadingError(code as ErrorCode, message, { details });
  return Object.assign(new Error(message), { code, ...rest });
}
