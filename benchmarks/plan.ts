import { OciLayoutStore, planExport } from '../src/index.js';

// Run as a process of its own: `node plan.js STORE IMAGE` plans an export and prints its size.
async function main(directory = '', image = ''): Promise<void> {
  const { size } = await planExport(await OciLayoutStore.open(directory), [image]);
  process.stdout.write(`${size}\n`);
}

void main(...process.argv.slice(2));
