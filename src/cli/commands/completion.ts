import { COMPLETION_SCRIPTS } from '../completion-scripts.js';
import { printText } from '../console.js';

/** `lading completion`: prints the script that a shell sources. */
export async function completion(shell: string): Promise<number> {
  await printText(COMPLETION_SCRIPTS[shell] ?? '');
  return 0;
}
