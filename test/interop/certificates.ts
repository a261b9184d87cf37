import { join } from 'node:path';
import { output } from '../fixtures/command.js';

/** PEM files of a certificate and its key. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority of the test's own, which lives for two days. */
export interface Authority extends Certificate {
  /** Signs a certificate with this common name; `alternatives` are a server's names and addresses. */
  readonly sign: (name: string, alternatives?: string) => Promise<Certificate>;
}

const COMMON = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

/** Makes an authority with `openssl`, its files in the folder. */
export async function makeAuthority(folder: string, name: string): Promise<Authority> {
  const make = async (file: string, subject: string, options: readonly string[]): Promise<Certificate> => {
    const made = { cert: join(folder, `${file}.pem`), key: join(folder, `${file}-key.pem`) };
    await output('openssl', [...COMMON, '-keyout', made.key, '-out', made.cert, '-subj', `/CN=${subject}`, ...options]);
    return made;
  };
  const ca = await make(name, name, ['-addext', 'keyUsage=critical,keyCertSign']);
  const sign = async (subject: string, alternatives?: string): Promise<Certificate> => {
    const usage = `extendedKeyUsage=${alternatives === undefined ? 'clientAuth' : 'serverAuth'}`;
    const extensions = ['basicConstraints=critical,CA:FALSE', usage];
    if (alternatives !== undefined) extensions.push(`subjectAltName=${alternatives}`);
    const added = extensions.flatMap((extension) => ['-addext', extension]);
    return await make(`${name}-${subject}`, subject, ['-CA', ca.cert, '-CAkey', ca.key, ...added]);
  };
  return { ...ca, sign };
}
