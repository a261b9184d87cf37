#!/usr/bin/env node

import { keepCompiled } from './compile-cache.js';

/*
 * The entry of the command. It loads the parts of the command later: what goes wrong then, such as a limit of open
 * files, is an error like others, not a stack trace.
 */

/** The exit status of an error of storage. */
const STORAGE = 8;

// Without a listener Node would open its debugger, to which any program of this host could then connect.
process.on('SIGUSR1', () => {});

keepCompiled();

import('./main.js').catch((error: unknown) => {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const hint = code === 'EMFILE' ? '; raise the limit of open files (ulimit -n)' : '';
  const text = `cannot start: ${message}${hint}`;
  const found = { code: 'ERR_STORAGE_IO', category: 'storage', message: text, details: { system: code } };
  const isJson = process.argv.includes('--json');
  process.stderr.write(
    isJson ? `${JSON.stringify({ schema: 'lading.error/1', error: found })}\n` : `lading: ${text} [ERR_STORAGE_IO]\n`,
  );
  process.exitCode = STORAGE;
});
